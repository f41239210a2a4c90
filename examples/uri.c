/* A URI taken apart: where to send to, and the options that the request carries.
 *
 *     $ build/examples/uri 'coap://Example.net:61616/a%20b//c?d=1&e'
 */
#include "copal/uri.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    copal_uri_t uri;
    int status = copal_uri_parse(&uri, argc > 1 ? argv[1] : "coap://localhost/");
    if (status != 0) {
        fprintf(stderr, "uri: %s\n", copal_error_text(status));
        return 2;
    }
    printf("%s to %.*s, port %u\n", uri.secure ? "DTLS" : "UDP", (int)uri.host.size, (const char *)uri.host.data,
           (unsigned)uri.port);

    uint8_t buffer[1152];
    copal_writer_t w;
    copal_bytes_t datagram;
    copal_message_t request;
    copal_writer_init(&w, buffer, sizeof buffer);
    copal_write_header(&w, COPAL_CON, COPAL_GET, 0, copal_text(""));
    copal_write_uri(&w, &uri);
    if (copal_writer_finish(&w, &datagram) != 0 || copal_message_parse(&request, datagram) != 0)
        return 1;
    copal_option_reader_t options = copal_message_options(&request);
    copal_option_t option;
    while (copal_option_next(&options, &option))
        printf("%s: \"%.*s\"\n", copal_option_text(option.number), (int)option.value.size,
               (const char *)option.value.data);
    return 0;
}
