/* The cipher suites that records are protected with, all of them AEAD with SHA-256 for its PRF. */
#ifndef COPAL_DTLS_SUITE_H
#define COPAL_DTLS_SUITE_H

#include <stdint.h>

enum { COPAL__SUITE_KEY = 32, COPAL__SUITE_IV = 12, COPAL__SUITE_TAG = 16 };

typedef enum { COPAL__AES_128_CCM_8, COPAL__AES_128_CCM, COPAL__AES_128_GCM, COPAL__CHACHA20_POLY1305 } copal__aead_t;

typedef struct {
    uint16_t number; /* as in a ServerHello */
    uint8_t aead;    /* copal__aead_t */
    uint8_t key_size, iv_size, tag_size;
    uint8_t explicit_size; /* octets of the nonce that each record carries: 8, or 0 where it is made of IV and number */
} copal__suite_t;

/** The suite of a number; NULL: not one of ours. */
const copal__suite_t *copal__suite_find(uint16_t number);
/** All of them, the one we like best first; ends with number 0. */
extern const copal__suite_t copal__suites[];

#endif
