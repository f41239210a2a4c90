/* What makes credentials of what was typed. */
#ifndef COPAL_TOOL_SECURE_H
#define COPAL_TOOL_SECURE_H

#include "tool.h"

/** A key as text, as octets behind "0x", or in a file behind "@", into `buffer`. 0, or TOOL_USAGE after saying what is wrong. */
int tool_parse_key(const tool_command_t *command, const char *text, uint8_t buffer[COPAL_KEY_SIZE], copal_bytes_t *key);

/** Reads a file with "identity:key" on each line. 0, or TOOL_USAGE after saying in which line what is wrong. */
int tool_keys_open(const tool_command_t *command, tool_keys_t **keys, const char *name);
/** Puts the keys of `with`, which it closes, in place of those there are: whoever looks in `keys` finds them. */
void tool_keys_replace(tool_keys_t *keys, tool_keys_t *with);
/** The same of one identity and its key. */
int tool_keys_of_one(const tool_command_t *command, tool_keys_t **keys, copal_bytes_t identity, copal_bytes_t key);

/** As copal_credentials_config_t's find_key; `keys` is what it is handed. */
int tool_keys_find(void *keys, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE]);

/** The identity of a file with one; else it is empty. */
copal_bytes_t tool_keys_only_identity(const tool_keys_t *keys);

#endif
