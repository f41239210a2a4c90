/* A message as octets: one is written, and taken apart again. No socket, no endpoint.
 *
 *     $ build/examples/message
 */
#include "copal/message.h"
#include "copal/uri.h"

#include <stdio.h>

static void show_option(const copal_option_t *option)
{
    const copal_option_definition_t *known = copal_option_definition(option->number);
    printf("%s: ", copal_option_text(option->number));
    if (known && known->format == COPAL_FORMAT_UINT)
        printf("%u\n", (unsigned)copal_option_uint(option));
    else
        printf("%.*s\n", (int)option->value.size, (const char *)option->value.data);
}

int main(void)
{
    uint8_t buffer[128];
    copal_writer_t w;
    copal_writer_init(&w, buffer, sizeof buffer);
    copal_write_header(&w, COPAL_CON, COPAL_PUT, 4711, copal_text("t1"));
    copal_write_path(&w, copal_text("rooms/kitchen"));
    copal_write_option_uint(&w, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)copal_content_format("json"));
    copal_write_text(&w, "21.5");
    copal_bytes_t datagram;
    int status = copal_writer_finish(&w, &datagram); /* the first error of all these calls, or 0 */
    if (status != 0) {
        fprintf(stderr, "message: %s\n", copal_error_text(status));
        return 1;
    }

    copal_message_t message;
    if (copal_message_parse(&message, datagram) != 0)
        return 1;
    printf("%zu octets, %s, message ID %u\n", datagram.size, copal_code_text(message.code), (unsigned)message.id);
    copal_option_reader_t options = copal_message_options(&message);
    copal_option_t option;
    while (copal_option_next(&options, &option))
        show_option(&option);
    printf("payload: %.*s\n", (int)message.payload.size, (const char *)message.payload.data);
    return 0;
}
