/* serve --resource 'PATH=VALUE;name=value;flag...' */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name, *value;
} attribute_t;

typedef struct {
    const tool_command_t *command;
    copal_tree_t *tree;
    const char *description; /* as typed, for messages */
    char *path;
    copal_handle_t handle;
    copal_value_options_t options;
    attribute_t *attributes;
    size_t attribute_count;
} resource_t;

/** Cuts the next part off `*rest`: it ends at a ';' outside of double quotes; `*rest` is NULL behind the last.
 *  NULL: a quote is not closed. */
static char *next_part(char **rest)
{
    char *part = *rest, *at = part;
    bool quoted = false;
    for (; *at && (*at != ';' || quoted); at++) {
        if (quoted && *at == '\\' && at[1])
            at++;
        else if (*at == '"')
            quoted = !quoted;
    }
    *rest = *at ? at + 1 : NULL;
    *at = 0;
    return quoted ? NULL : part;
}

/** Cuts "name=value" in two; returns the value, NULL where there is no "=". */
static char *cut_value(char *part)
{
    char *equals = strchr(part, '=');
    if (equals)
        *equals++ = 0;
    return equals;
}

static int take_methods(resource_t *r, char *list)
{
    static const struct {
        const char *name;
        copal_code_t code;
    } methods[] = {{"get", COPAL_GET},       {"post", COPAL_POST},   {"put", COPAL_PUT},
                   {"delete", COPAL_DELETE}, {"patch", COPAL_PATCH}, {"ipatch", COPAL_IPATCH}};
    const size_t count = sizeof methods / sizeof *methods;
    r->options.methods = 0;
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        size_t i = 0;
        while (i < count && strcmp(name, methods[i].name) != 0)
            i++;
        if (i == count)
            return tool_option_error(r->command,
                                     "'%s' in '%s' is no method; methods= takes get, post, put, delete, patch and "
                                     "ipatch with commas between",
                                     name, r->description);
        r->options.methods |= COPAL_METHOD(methods[i].code);
    }
    return 0;
}

/** Takes a property of the resource in, or keeps a link attribute for when the resource is there. 0, or TOOL_USAGE
 *  after saying what is wrong. */
static int take_part(resource_t *r, const char *name, char *value)
{
    uint64_t number;
    if (strcmp(name, "methods") == 0)
        return take_methods(r, value ? value : (char[]){""});
    if (strcmp(name, "ct") == 0) {
        r->options.content_format = value ? copal_content_format(value) : -1;
        if (r->options.content_format >= 0)
            return 0;
        return tool_option_error(
            r->command, "'%s' in '%s' is no Content-Format that copal knows by name; take its number, 0 to 65535",
            value ? value : "", r->description);
    }
    if (strcmp(name, "max-age") == 0) {
        if (!value || !tool_parse_number(value, 0, UINT32_MAX, &number))
            return tool_option_error(r->command, "max-age in '%s' takes seconds, 0 to 4294967295", r->description);
        r->options.max_age = (int64_t)number;
    } else if (strcmp(name, "etag") == 0 && !value) {
        r->options.etag = true;
    } else {
        r->attributes[r->attribute_count++] = (attribute_t){name, value ? value : ""};
    }
    return 0;
}

static int add_value(resource_t *r, const char *value)
{
    if (r->options.methods & ~COPAL_METHODS_ALL && r->options.content_format != 50)
        return tool_option_error(r->command, "'%s' allows patches, which are for JSON; give it ct=json as well",
                                 r->description);
    int error = copal_tree_add_value(r->tree, r->path, copal_text(value), &r->options, &r->handle);
    switch (error) {
    case 0:
        return 0;
    case COPAL_EEXIST:
        return tool_usage_error(r->command, "the path of '%s' is there already", r->description);
    case COPAL_EINVAL:
        return tool_option_error(r->command,
                                 "'%s' is no valid path; it looks like a/b, other characters percent-encoded", r->path);
    case COPAL_ESPACE:
        return tool_usage_error(r->command, "the value of '%s' is too large; 'copal serve --help' says what fits",
                                r->path);
    default:
        return tool_usage_error(r->command, "'%s': %s; --memory makes room", r->path, copal_error_text(error));
    }
}

static int add_attributes(const resource_t *r)
{
    for (const attribute_t *a = r->attributes; a < r->attributes + r->attribute_count; a++) {
        int error = copal_tree_add_attribute(r->tree, r->handle, copal_text(a->name), copal_text(a->value));
        if (error == COPAL_EINVAL)
            return tool_option_error(r->command, "'%s' in '%s' is no name of a link attribute", a->name,
                                     r->description);
        if (error)
            return tool_usage_error(r->command, "'%s': %s; --memory makes room", r->description,
                                    copal_error_text(error));
    }
    return 0;
}

static int add(resource_t *r, char *rest)
{
    char *part = next_part(&rest), *value = part ? cut_value(part) : NULL;
    if (part && !value)
        return tool_option_error(r->command, "'%s' gives no value; a resource looks like 'PATH=VALUE;ct=text'",
                                 r->description);
    r->path = part;
    int status = 0;
    while (part && rest && status == 0) {
        part = next_part(&rest);
        char *part_value = part ? cut_value(part) : NULL;
        status = part ? take_part(r, part, part_value) : 0;
    }
    if (!part)
        return tool_option_error(r->command, "a double quote in '%s' is not closed", r->description);
    if (status == 0)
        status = add_value(r, value);
    return status == 0 ? add_attributes(r) : status;
}

int tool_add_resource(const tool_command_t *command, copal_tree_t *tree, const char *description)
{
    resource_t resource = {.command = command,
                           .tree = tree,
                           .description = description,
                           .options = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL}};
    char *text = strdup(description);
    resource.attributes = calloc(strlen(description) + 1, sizeof *resource.attributes);
    int status = TOOL_REFUSED;
    if (text && resource.attributes)
        status = add(&resource, text);
    else
        tool_say("%s\n", copal_error_text(COPAL_ENOMEM));
    free(resource.attributes);
    free(text);
    return status;
}
