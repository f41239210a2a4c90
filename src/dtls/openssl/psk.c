#include "openssl.h"

#include <openssl/rand.h>
#include <string.h>

/* OpenSSL hands an identity over as a C string; what follows a NUL would be lost, and two identities taken for one. So it is
 * read from the ClientKeyExchange itself, which begins with it in each kind of suite with pre-shared keys (RFC 4279 sections
 * 2 and 3, RFC 5489 section 2), behind the header of RFC 6347 section 4.2.2. */
static void see_message(int sent, int version, int type, const void *data, size_t size, SSL *ssl, void *argument)
{
    enum { HEADER = 12 };
    copal__openssl_handshake_t *handshake = SSL_get_app_data(ssl);
    const uint8_t *octets = data;
    (void)version, (void)argument;
    if (sent || type != SSL3_RT_HANDSHAKE || size < HEADER + 2 || octets[0] != SSL3_MT_CLIENT_KEY_EXCHANGE)
        return;
    size_t length = (size_t)octets[HEADER] << 8 | octets[HEADER + 1];
    handshake->identified = length <= sizeof handshake->identity && length <= size - HEADER - 2;
    handshake->identity_size = handshake->identified ? length : 0;
    memcpy(handshake->identity, octets + HEADER + 2, handshake->identity_size);
}

static int find(copal__openssl_handshake_t *handshake, uint8_t *key)
{
    copal__openssl_credentials_t *credentials = handshake->credentials;
    copal_bytes_t identity = {handshake->identity, handshake->identity_size};
    return handshake->identified ? credentials->find_key(credentials->user, identity, key) : COPAL_ENOTFOUND;
}

/* An identity that nobody has gets a key that nobody has: the handshake then fails as it does with a wrong key, and tells
 * nobody which identities there are (RFC 4279 section 7.3). */
static unsigned find_key(SSL *ssl, const char *text, uint8_t *key, unsigned capacity)
{
    copal__openssl_handshake_t *handshake = SSL_get_app_data(ssl);
    copal__openssl_credentials_t *credentials = handshake->credentials;
    uint8_t found[COPAL_KEY_SIZE];
    int size = (int)credentials->key_size;
    (void)text;
    memcpy(found, credentials->key, sizeof found);
    if (credentials->find_key)
        size = find(handshake, found);
    if (size <= 0 || size > (int)sizeof found)
        size = RAND_bytes(found, 16) == 1 ? 16 : 0;
    if ((unsigned)size > capacity)
        size = 0; /* which fails the handshake */
    memcpy(key, found, (size_t)size);
    OPENSSL_cleanse(found, sizeof found);
    return (unsigned)size;
}

static unsigned show_key(SSL *ssl, const char *hint, char *identity, unsigned identity_capacity, uint8_t *key,
                         unsigned capacity)
{
    copal__openssl_handshake_t *handshake = SSL_get_app_data(ssl);
    const copal__openssl_credentials_t *credentials = handshake->credentials;
    size_t size = strlen(credentials->identity) + 1;
    (void)hint;
    if (size > identity_capacity || credentials->key_size > capacity)
        return 0;
    memcpy(identity, credentials->identity, size);
    memcpy(key, credentials->key, credentials->key_size);
    return (unsigned)credentials->key_size;
}

void copal__openssl_psk_server(SSL_CTX *context)
{
    SSL_CTX_set_psk_server_callback(context, find_key);
    SSL_CTX_set_msg_callback(context, see_message);
}

void copal__openssl_psk_client(SSL_CTX *context)
{
    SSL_CTX_set_psk_client_callback(context, show_key);
}
