/* GET of a directory: its entries in link-format (RFC 6690). Each block is made from all of them, so that nothing is kept
 * from one to the next. */
#define _POSIX_C_SOURCE 200809L
#include "directory.h"

#include "../message/characters.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MOST ((size_t)1 << 20) /* octets of all names */

/* The names of a directory's entries: back to back, each behind a mark of its kind. */
typedef struct {
    char *text;
    size_t size, capacity;
    size_t count;
} names_t;

enum { IS_FILE = 'f', IS_DIRECTORY = 'd' };
enum { LONGEST = 255 }; /* octets of a Uri-Path option (RFC 7252 section 5.10) */

/* FAT and NTFS have names of 255 characters, which may be more octets: no request could name these. */
static copal__refusal_t add_name(names_t *names, char kind, const char *name)
{
    size_t size = strlen(name) + 1;
    if (size > LONGEST + 1)
        return COPAL__GRANTED;
    if (names->size + 1 + size > names->capacity) {
        size_t capacity = names->capacity ? 2 * names->capacity : 4096;
        char *text = capacity > NAMES_MOST ? NULL : realloc(names->text, capacity);
        if (!text)
            return capacity > NAMES_MOST ? copal__refusal(COPAL_INTERNAL_SERVER_ERROR, "too many entries to be listed")
                                         : copal__refusal_of(ENOMEM);
        names->text = text;
        names->capacity = capacity;
    }
    names->text[names->size++] = kind;
    memcpy(names->text + names->size, name, size);
    names->size += size;
    names->count++;
    return COPAL__GRANTED;
}

/* What a symbolic link leads to, if peers may go there. */
static bool follow(const copal__get_t *g, const char *name, struct stat *state)
{
    const copal__trail_t *trail = g->trail;
    char path[COPAL__TRAIL_SIZE + 256];
    size_t size = strlen(name);
    if (trail->size + 1 + size >= sizeof path)
        return false;
    memcpy(path, trail->path, trail->size);
    path[trail->size] = '/';
    memcpy(path + trail->size + 1, name, size + 1);
    int fd = copal__open_beneath(g->directory->root, trail->size ? path : name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool found = fstat(fd, state) == 0;
    close(fd);
    return found;
}

static copal__refusal_t read_names(names_t *names, const copal__get_t *g, DIR *open)
{
    struct dirent *entry;
    struct stat state;
    copal__refusal_t refusal = COPAL__GRANTED;
    while (!refusal.code && (errno = 0, entry = readdir(open))) {
        if (entry->d_name[0] == '.' || fstatat(dirfd(open), entry->d_name, &state, AT_SYMLINK_NOFOLLOW) != 0)
            continue; /* hidden, or gone meanwhile */
        if (S_ISLNK(state.st_mode) && !follow(g, entry->d_name, &state))
            continue;
        if (S_ISREG(state.st_mode))
            refusal = add_name(names, IS_FILE, entry->d_name);
        else if (S_ISDIR(state.st_mode))
            refusal = add_name(names, IS_DIRECTORY, entry->d_name);
    }
    return !refusal.code && errno ? copal__refusal_of(errno) : refusal;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a + 1, *(const char *const *)b + 1);
}

/* The names in order, behind their marks; NULL: no memory. */
static const char **sort(const names_t *names)
{
    const char **sorted = malloc((names->count + 1) * sizeof *sorted), *at = names->text;
    for (size_t i = 0; sorted && i < names->count; i++) {
        sorted[i] = at;
        at += 1 + strlen(at + 1) + 1;
    }
    if (sorted)
        qsort(sorted, names->count, sizeof *sorted, compare);
    return sorted;
}

static void write_encoded(copal_writer_t *w, copal_bytes_t octets)
{
    char text[3 * LONGEST];
    copal__text_t out = {text, 0, sizeof text};
    copal__text_add_encoded(&out, octets, COPAL__PCHAR);
    copal_write_payload(w, (copal_bytes_t){(const uint8_t *)text, out.size});
}

static void write_link(copal_writer_t *w, const copal_call_t *call, const char *name)
{
    const copal_message_t path = {.options = call->options->path};
    copal_option_reader_t reader = copal_message_options(&path);
    copal_option_t segment;
    copal_write_text(w, w->total ? ",<" : "<");
    for (uint32_t depth = 0; copal_option_next(&reader, &segment); depth++) {
        if (depth >= call->depth && !segment.value.size)
            break; /* the "/" that a directory may have behind it */
        copal_write_text(w, "/");
        write_encoded(w, segment.value);
    }
    copal_write_text(w, "/");
    write_encoded(w, copal_text(name + 1));
    copal_write_text(w, *name == IS_DIRECTORY ? "/>;ct=" : ">;ct=");
    char digits[5];
    size_t at = sizeof digits;
    unsigned format = *name == IS_DIRECTORY ? COPAL__LINK_FORMAT : copal__suffix_format(name + 1);
    do
        digits[--at] = (char)('0' + format % 10);
    while (format /= 10);
    copal_write_payload(w, (copal_bytes_t){(const uint8_t *)digits + at, sizeof digits - at});
}

static copal__refusal_t write_entries(copal__get_t *g, copal_writer_t *w, DIR *open)
{
    names_t names = {0};
    copal__refusal_t refusal = read_names(&names, g, open);
    const char **sorted = refusal.code ? NULL : sort(&names);
    if (!refusal.code && !sorted)
        refusal = copal__refusal_of(ENOMEM);
    for (size_t i = 0; sorted && i < names.count; i++)
        write_link(w, g->call, sorted[i]);
    free(sorted);
    free(names.text);
    return refusal;
}

/* An entry that comes, goes or becomes something else shows in the directory's own state, and so in the ETag. */
copal__refusal_t copal__write_list(copal__get_t *g, copal_writer_t *w)
{
    int fd = openat(g->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *open = fd < 0 ? NULL : fdopendir(fd);
    if (!open) {
        copal__refusal_t refusal = copal__refusal_of(errno);
        if (fd >= 0)
            close(fd);
        return refusal;
    }
    copal__refusal_t refusal = write_entries(g, w, open);
    closedir(open);
    return refusal;
}
