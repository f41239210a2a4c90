#include "openssl.h"

#include <limits.h>
#include <string.h>

static int read_datagram(BIO *bio, char *buffer, int capacity)
{
    copal__openssl_handshake_t *handshake = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!handshake->in) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t size = handshake->in_size < (size_t)capacity ? handshake->in_size : (size_t)capacity;
    memcpy(buffer, handshake->in, size);
    handshake->in = NULL;
    return (int)size;
}

static int write_datagram(BIO *bio, const char *data, int size)
{
    copal__openssl_handshake_t *handshake = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    handshake->write(handshake->context, (copal_bytes_t){(const uint8_t *)data, (size_t)size});
    return size;
}

/* What else OpenSSL asks of a socket (its peer, its MTU, its timer) is answered by 0: not here. */
static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *copal__openssl_datagrams(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "datagrams of copal");
    if (!method)
        return NULL;
    BIO_meth_set_read(method, read_datagram);
    BIO_meth_set_write(method, write_datagram);
    BIO_meth_set_ctrl(method, control);
    return method;
}
