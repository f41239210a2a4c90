/* The URI of a request: what is wrong with one, and what to write instead. */
#include "tool.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/** An IPv6 address without its brackets: it has two colons, host and port have one. */
static bool is_bare_ipv6(const char *host, int size)
{
    const char *colon = memchr(host, ':', (size_t)size);
    return colon && *host != '[' && memchr(colon + 1, ':', (size_t)(host + size - colon - 1));
}

static int missing_scheme(const tool_command_t *command, const char *text)
{
    int host = (int)strcspn(text, "/?");
    bool bare = is_bare_ipv6(text, host);
    return tool_usage_error(command, "'%s' has no scheme; did you mean 'coap://%s%.*s%s%s'?", text, bare ? "[" : "",
                            host, text, bare ? "]" : "", text + host);
}

static int wrong_scheme(const tool_command_t *command, const char *text)
{
    const char *rest = strstr(text, "://");
    int scheme = (int)(rest - text);
    if (starts_with(text, "coap+") || starts_with(text, "coaps+"))
        return tool_usage_error(command,
                                "%.*s is CoAP over another transport, which is not in this build; "
                                "over UDP it is 'coap%s'",
                                scheme, text, rest);
    return tool_usage_error(command, "%.*s is not CoAP; did you mean 'coap%s'?", scheme, text, rest);
}

/** A "%" in `text` without two hexadecimal digits behind it. */
static bool has_bad_percent(const char *text)
{
    while ((text = strchr(text, '%')))
        if (!isxdigit((unsigned char)*++text) || !isxdigit((unsigned char)text[1]))
            return true;
    return false;
}

static int bad_port(const tool_command_t *command, const char *text)
{
    return tool_usage_error(command, "the port of '%s' is no number from 1 to 65535", text);
}

/** What is wrong in a URI from its host on. */
static int bad_authority(const tool_command_t *command, const char *text, const char *host)
{
    int size = (int)strcspn(host, "/?");
    const char *at = memchr(host, '@', (size_t)size);
    if (at)
        return tool_usage_error(command, "'%s' names a user, which CoAP cannot carry; write '%.*s%s'", text,
                                (int)(host - text), text, at + 1);
    if (is_bare_ipv6(host, size))
        return tool_usage_error(command, "'%s': an IPv6 address goes in brackets; did you mean '%.*s[%.*s]%s'?", text,
                                (int)(host - text), text, size, host, host + size);
    if (size == 0 || *host == ':')
        return tool_usage_error(command, "'%s' names no host, as in 'coap://localhost/'", text);
    const char *bracket = memchr(host, ']', (size_t)size);
    if (*host == '[' && !bracket)
        return tool_usage_error(command, "'%s' lacks the ']' behind its IPv6 address, as in 'coap://[::1]/'", text);
    const char *behind = bracket ? bracket + 1 : host; /* within brackets, "%" is that of a zone, too */
    const char *colon = memchr(behind, ':', (size_t)(host + size - behind));
    uint64_t port;
    char digits[8];
    if (colon) {
        snprintf(digits, sizeof digits, "%.*s", (int)(host + size - colon - 1), colon + 1);
        if (*digits && !tool_parse_number(digits, 1, UINT16_MAX, &port))
            return bad_port(command, text);
    }
    if (has_bad_percent(behind))
        return tool_usage_error(command,
                                "'%s' has a '%%' without two hexadecimal digits behind it; write %%25 for a '%%' that "
                                "is part of it",
                                text);
    return tool_usage_error(command,
                            "'%s' is no valid URI; it looks like 'coap://HOST:PORT/PATH?QUERY', with other characters "
                            "percent-encoded",
                            text);
}

/** Why copal_uri_parse did not take it. */
static int bad_uri(const tool_command_t *command, const char *text)
{
    const char *rest = strstr(text, "://");
    if (!rest && (starts_with(text, "coap:") || starts_with(text, "coaps:")))
        return tool_usage_error(command, "'%s' lacks '//' behind the scheme, as in 'coap://localhost/'", text);
    if (!rest)
        return missing_scheme(command, text);
    int scheme = (int)(rest - text);
    if (!(scheme == 4 && strncasecmp(text, "coap", 4) == 0) && !(scheme == 5 && strncasecmp(text, "coaps", 5) == 0))
        return wrong_scheme(command, text);
    if (strchr(text, '#'))
        return tool_usage_error(command,
                                "'%s' has a fragment, which CoAP cannot carry; write '%.*s' (or %%23 for a '#' "
                                "that is part of it)",
                                text, (int)strcspn(text, "#"), text);
    if (strpbrk(rest, " \t"))
        return tool_usage_error(command, "'%s' holds a blank; write %%20 for it", text);
    return bad_authority(command, text, rest + 3);
}

/** Literal group addresses: 224.0.0.0/4 and ff00::/8. */
static bool is_group(const copal_uri_t *uri)
{
    const char *host = (const char *)uri->host.data;
    if (!uri->literal)
        return false;
    if (memchr(host, ':', uri->host.size))
        return uri->host.size > 4 && tolower((unsigned char)host[0]) == 'f' && tolower((unsigned char)host[1]) == 'f' &&
               isxdigit((unsigned char)host[2]) && isxdigit((unsigned char)host[3]);
    long first = strtol(host, NULL, 10);
    return first >= 224 && first <= 239;
}

int tool_take_uri(const tool_command_t *command, tool_request_t *request, const char *text, copal_uri_t *uri)
{
    const char *given = tool_secrets_given(&request->secrets);
    if (copal_uri_parse(uri, text) < 0)
        return bad_uri(command, text);
    if (uri->port == 0)
        return bad_port(command, text);
    request->group = is_group(uri);
    if (request->group && (command == &tool_ping || command == &tool_observe || command == &tool_bench || command == &tool_conform))
        return tool_usage_error(command, "%.*s is a group of hosts, and %s asks one; 'copal discover' tells who is there",
                                (int)uri->host.size, (const char *)uri->host.data, command->name);
    if (request->group && uri->secure)
        return tool_usage_error(command, "%.*s is a group of hosts, which cannot be asked by DTLS; did you mean 'coap%s'?",
                                (int)uri->host.size, (const char *)uri->host.data, strstr(text, "://"));
    if (!request->ask.timeout)
        request->ask.timeout = request->group ? TOOL_GROUP_TIMEOUT : TOOL_DEFAULT_TIMEOUT;
    if (given && !uri->secure)
        return tool_usage_error(command, "%s is for coaps://; did you mean 'coaps%s'?", given, strstr(text, "://"));
    request->ask.uri = text;
    return uri->secure ? tool_client_credentials(command, &request->secrets, &request->ask.credentials) : 0;
}
