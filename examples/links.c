/* Link-format read and filtered, as a client does with what /.well-known/core says.
 *
 *     $ build/examples/links '</t>;rt="heat sensor";ct=0,</fan>;rt=actuator' rt=heat
 */
#include "copal/link.h"

#include <stdio.h>

static void show(const copal_link_t *link)
{
    printf("%.*s\n", (int)link->target.size, (const char *)link->target.data);
    copal_bytes_t rest = link->attributes;
    copal_attribute_t attribute;
    while (copal_attribute_next(&rest, &attribute) == 1)
        printf("    %.*s = %.*s\n", (int)attribute.name.size, (const char *)attribute.name.data,
               (int)attribute.value.size, (const char *)attribute.value.data);
}

int main(int argc, char **argv)
{
    copal_bytes_t document = copal_text(argc > 1 ? argv[1] : "");
    copal_link_t link;
    int status;
    while ((status = copal_link_next(&document, &link)) == 1)
        if (argc < 3 || copal_link_matches(&link, copal_text(argv[2])))
            show(&link);
    if (status < 0)
        fprintf(stderr, "links: no link-format from '%.20s' on\n", (const char *)document.data);
    return status < 0 ? 1 : 0;
}
