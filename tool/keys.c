/* Pre-shared keys: one from the command line or its file, or a file of identities with a key each. */
#define _POSIX_C_SOURCE 200809L
#include "secure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint8_t identity[COPAL_IDENTITY_SIZE], key[COPAL_KEY_SIZE];
    size_t identity_size, key_size;
    size_t line;
} entry_t;

struct tool_keys_t {
    size_t count, capacity;
    entry_t *entries; /* in the order of identities, once all are read */
};

/* ---- one key --------------------------------------------------------------------------------------------- */

/** The first line of a file into `line`. NULL, or what is wrong. */
static const char *first_line(const char *name, char *line, int capacity)
{
    FILE *file = fopen(name, "r");
    if (!file)
        return strerror(errno);
    errno = 0;
    const bool any = fgets(line, capacity, file);
    const char *problem = any ? NULL : errno ? strerror(errno) : "is empty";
    fclose(file);
    if (any)
        line[strcspn(line, "\r\n")] = 0;
    return problem;
}

int tool_parse_key(const tool_command_t *command, const char *text, uint8_t buffer[COPAL_KEY_SIZE], copal_bytes_t *key)
{
    char line[4 * COPAL_KEY_SIZE];
    const char *where = text;
    if (*text == '@') {
        const char *problem = first_line(text + 1, line, sizeof line);
        if (problem)
            return tool_usage_error(command, "--psk: %s: %s", text + 1, problem);
        text = line;
    }
    const bool fits = tool_parse_octets(text, buffer, COPAL_KEY_SIZE, key) && key->size > 0;
    memset(line, 0, sizeof line);
    if (fits)
        return 0;
    if (*where == '@')
        return tool_usage_error(command, "--psk: the first line of %s is no key of 1 to %u octets", where + 1,
                                COPAL_KEY_SIZE);
    return tool_option_error(command,
                             "--psk takes a key of 1 to %u octets: text, octets in hexadecimal as 0x1234, or "
                             "@FILE, whose first line is that",
                             COPAL_KEY_SIZE);
}

/* ---- a file of them --------------------------------------------------------------------------------------- */

static int compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int by_identity(const void *a, const void *b)
{
    const entry_t *x = a, *y = b;
    return compare(x->identity, x->identity_size, y->identity, y->identity_size);
}

static entry_t *add(tool_keys_t *keys)
{
    if (keys->count == keys->capacity) {
        const size_t capacity = keys->capacity ? 2 * keys->capacity : 16;
        entry_t *grown = realloc(keys->entries, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        keys->entries = grown;
        keys->capacity = capacity;
    }
    return &keys->entries[keys->count];
}

/** Takes "identity:key" in. NULL, or what is wrong with it. */
static const char *take_line(tool_keys_t *keys, char *line, size_t number)
{
    copal_bytes_t identity, key;
    char *colon = strchr(line, ':');
    entry_t *entry = add(keys);
    if (!entry)
        return copal_error_text(COPAL_ENOMEM);
    if (!colon)
        return "there is no ':' between identity and key";
    *colon = 0;
    if (!tool_parse_octets(line, entry->identity, sizeof entry->identity, &identity) || identity.size == 0)
        return "the identity must have 1 to 128 octets, as text, or in hexadecimal as 0x1234";
    if (!tool_parse_octets(colon + 1, entry->key, sizeof entry->key, &key) || key.size == 0)
        return "the key must have 1 to 64 octets, as text, or in hexadecimal as 0x1234";
    entry->identity_size = identity.size;
    entry->key_size = key.size;
    entry->line = number;
    keys->count++;
    return NULL;
}

static int bad_line(const tool_command_t *command, const char *name, size_t number, const char *problem)
{
    return tool_usage_error(command, "--psk-file: %s, line %zu: %s", name, number, problem);
}

/** Empty lines, and those that start with "#", say nothing. */
static int read_lines(const tool_command_t *command, tool_keys_t *keys, const char *name, FILE *file)
{
    char *line = NULL;
    size_t capacity = 0, number = 0;
    int status = 0;
    while (status == 0 && getline(&line, &capacity, file) >= 0) {
        number++;
        line[strcspn(line, "\r\n")] = 0;
        const char *problem = *line && *line != '#' ? take_line(keys, line, number) : NULL;
        if (problem)
            status = bad_line(command, name, number, problem);
    }
    if (status == 0 && ferror(file))
        status = tool_usage_error(command, "--psk-file: %s: %s", name, strerror(errno));
    if (line)
        memset(line, 0, capacity);
    free(line);
    return status;
}

static int put_in_order(const tool_command_t *command, tool_keys_t *keys, const char *name)
{
    if (keys->count == 0)
        return tool_usage_error(command, "--psk-file: %s holds no line of the form identity:key", name);
    qsort(keys->entries, keys->count, sizeof *keys->entries, by_identity);
    for (size_t i = 1; i < keys->count; i++) {
        const entry_t *a = &keys->entries[i - 1], *b = &keys->entries[i];
        if (by_identity(a, b) == 0)
            return bad_line(command, name, a->line > b->line ? a->line : b->line,
                            "this identity stands further up already");
    }
    return 0;
}

int tool_keys_open(const tool_command_t *command, tool_keys_t **opened, const char *name)
{
    FILE *file = fopen(name, "r");
    if (!file)
        return tool_usage_error(command, "--psk-file: %s: %s", name, strerror(errno));
    tool_keys_t *keys = calloc(1, sizeof *keys);
    if (!keys) {
        fclose(file);
        return tool_usage_error(command, "%s", copal_error_text(COPAL_ENOMEM));
    }
    int status = read_lines(command, keys, name, file);
    fclose(file);
    if (status == 0)
        status = put_in_order(command, keys, name);
    if (status == 0)
        *opened = keys;
    else
        tool_keys_close(keys);
    return status;
}

int tool_keys_of_one(const tool_command_t *command, tool_keys_t **opened, copal_bytes_t identity, copal_bytes_t key)
{
    tool_keys_t *keys = calloc(1, sizeof *keys);
    entry_t *entry = keys ? add(keys) : NULL;
    if (!entry) {
        free(keys);
        return tool_usage_error(command, "%s", copal_error_text(COPAL_ENOMEM));
    }
    *entry = (entry_t){.identity_size = identity.size, .key_size = key.size};
    memcpy(entry->identity, identity.data, identity.size);
    memcpy(entry->key, key.data, key.size);
    keys->count = 1;
    *opened = keys;
    return 0;
}

void tool_keys_close(tool_keys_t *keys)
{
    if (!keys)
        return;
    if (keys->entries)
        memset(keys->entries, 0, keys->capacity * sizeof *keys->entries);
    free(keys->entries);
    free(keys);
}

void tool_keys_replace(tool_keys_t *keys, tool_keys_t *with)
{
    const tool_keys_t former = *keys;
    *keys = *with;
    *with = former;
    tool_keys_close(with);
}

int tool_keys_find(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE])
{
    const tool_keys_t *keys = user;
    size_t low = 0, high = keys->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const entry_t *entry = &keys->entries[middle];
        const int order = compare(identity.data, identity.size, entry->identity, entry->identity_size);
        if (order == 0) {
            memcpy(key, entry->key, entry->key_size);
            return (int)entry->key_size;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return COPAL_ENOTFOUND;
}

copal_bytes_t tool_keys_only_identity(const tool_keys_t *keys)
{
    return keys->count == 1 ? (copal_bytes_t){keys->entries->identity, keys->entries->identity_size}
                            : (copal_bytes_t){NULL, 0};
}
