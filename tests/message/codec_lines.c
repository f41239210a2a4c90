/* What the parser makes of datagrams, for a test that asks others the same. Reads one a line, as hexadecimal digits; answers
 * `error N`, or `type code id token options payload`: octets as hexadecimal digits behind an x, options as `number:octets`, with
 * commas between. */
#include "copal/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_octets(copal_bytes_t octets)
{
    putchar('x');
    for (size_t i = 0; i < octets.size; i++)
        printf("%02x", octets.data[i]);
}

static void answer(copal_bytes_t datagram)
{
    copal_message_t message;
    copal_option_t option;
    const int error = copal_message_parse(&message, datagram);
    if (error) {
        printf("error %d\n", error);
        return;
    }
    printf("%d %u %u ", (int)message.type, (unsigned)message.code, (unsigned)message.id);
    put_octets(message.token);
    putchar(' ');
    copal_option_reader_t reader = copal_message_options(&message);
    for (unsigned count = 0; copal_option_next(&reader, &option); count++) {
        printf("%s%u:", count ? "," : "", (unsigned)option.number);
        put_octets(option.value);
    }
    putchar(' ');
    put_octets(message.payload);
    putchar('\n');
}

/* Into memory of exactly their size, so that a sanitizer sees any octet read beyond. */
static copal_bytes_t read_line(const char *line)
{
    const size_t size = strspn(line, "0123456789abcdef") / 2;
    uint8_t *octets = malloc(size ? size : 1);
    for (size_t i = 0; octets && i < size; i++)
        octets[i] = (uint8_t)strtoul((char[]){line[2 * i], line[2 * i + 1], 0}, NULL, 16);
    return (copal_bytes_t){octets, octets ? size : 0};
}

int main(void)
{
    static char line[8192];
    while (fgets(line, sizeof line, stdin)) {
        const copal_bytes_t datagram = read_line(line);
        answer(datagram);
        free((void *)datagram.data);
    }
    return ferror(stdin) || ferror(stdout);
}
