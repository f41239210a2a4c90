/* A tree that one thread changes while others serve it. What counts here is what the sanitizers see, ThreadSanitizer above
 * all. */
#include <pthread.h>
#include <sched.h>

#include "resource/call.h"

#define WORKERS 2
#define PATHS   8
#define TURNS   2000 /* of the workers, in all */
#define ROUNDS  2000
#define MISSED  5000000 /* times that one has waited in vain for a worker */

static copal_tree_t *tree;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned turns;
static _Atomic bool over;

static void enter(void *context)
{
    pthread_mutex_lock(context);
}
static void leave(void *context)
{
    pthread_mutex_unlock(context);
}

static const char *path_of(unsigned i)
{
    static const char *const paths[PATHS] = {"a", "b", "c/d", "e/f/g", "h", "i/j", "sub", "sub/k"};
    return paths[i % PATHS];
}

/* A value is one letter, repeated: a torn one would show. */
static bool is_whole(copal_bytes_t value)
{
    for (size_t i = 1; i < value.size; i++)
        if (value.data[i] != value.data[0])
            return false;
    return true;
}

static void answer(void *user, copal_call_t *call)
{
    (void)user;
    copal_reply_text(call, COPAL_CONTENT, "hhhh");
}

static void *work(void *number)
{
    uint32_t worker = *(uint32_t *)number;
    ask_t *ask = malloc(sizeof *ask);
    uintptr_t wrong = 0;
    for (unsigned turn = 0; !over; turn++) {
        copal_tree_quiescent(tree, worker);
        for (unsigned i = 0; i < PATHS; i++) {
            copal_code_t code = simple(ask, tree, COPAL_GET, path_of(i + turn));
            wrong += code != COPAL_NOT_FOUND && (code != COPAL_CONTENT || !is_whole(ask->answer.payload));
            if ((i + turn) % 5 == 0) {
                code = with_payload(ask, tree, COPAL_PUT, path_of(i + turn), "pppppppp");
                wrong += code != COPAL_CHANGED && code != COPAL_CREATED && code != COPAL_CONTENT &&
                         code != COPAL_SERVICE_UNAVAILABLE;
            }
        }
        wrong += simple(ask, tree, COPAL_GET, ".well-known/core?href=/*") != COPAL_CONTENT;
        copal_bytes_t document = ask->answer.payload;
        copal_link_t link;
        int more;
        while ((more = copal_link_next(&document, &link)) > 0)
            ;
        wrong += more < 0;
        turns++;
        if (turn % 16 == 0)
            copal_tree_offline(tree, worker);
    }
    copal_tree_offline(tree, worker);
    free(ask);
    return (void *)wrong; /* cmocka's assertions belong to the main thread */
}

static void change(unsigned i)
{
    char value[40];
    copal_handle_t handle;
    copal_value_options_t options = plain;
    size_t size;
    memset(value, 'a' + (int)(i % 26), sizeof value);
    if (copal_tree_find(tree, path_of(i), &handle)) {
        copal_handler_t handler = {COPAL_METHODS_ALL, NULL, true, i & 1, false, answer, NULL};
        if (i % 3)
            copal_tree_add_value(tree, path_of(i), bytes(value, i % sizeof value), &options, NULL);
        else
            copal_tree_add_handler(tree, path_of(i), &handler, NULL);
        return;
    }
    options.content_format = (int32_t)(i % 3) - 1;
    copal_tree_set_value(tree, handle, bytes(value, i % sizeof value));
    copal_tree_set_options(tree, handle, &options);
    if (!copal_tree_get_value(tree, handle, value, sizeof value, &size))
        assert_true(is_whole(bytes(value, size)));
    if (i % 4 == 0)
        copal_tree_add_attribute(tree, handle, copal_text("rt"), copal_text("x y"));
    if (i % 7 == 0)
        copal_tree_remove(tree, handle);
}

static void workers_serve_while_another_thread_changes_everything(void **state)
{
    (void)state;
    tree = new_tree((copal_tree_config_t){
        .limits = {.resources = PATHS, .value_size = 64, .arena = 8192, .workers = WORKERS},
        .exclusion = {enter, leave, &mutex},
        .dynamic = true,
    });
    pthread_t threads[WORKERS];
    uint32_t numbers[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    for (unsigned i = 0; turns < TURNS; i++)
        change(i * 2654435761u >> 7);
    over = true;
    for (uint32_t i = 0; i < WORKERS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }

    /* Nothing got lost: with all resources gone and nobody online, the arena has room for the largest again. */
    copal_handle_t handle;
    for (unsigned i = 0; i < PATHS; i++)
        if (!copal_tree_find(tree, path_of(i), &handle))
            copal_tree_remove(tree, handle);
    for (unsigned i = 0; i < PATHS; i++) {
        static const uint8_t value[64];
        assert_int_equal(copal_tree_add_value(tree, path_of(i), bytes(value, sizeof value), &plain, NULL), 0);
    }
    free(tree);
}

/* ---- changes that are told -------------------------------------------------------------------------------- */

static _Atomic unsigned read_last[WORKERS];

/* Serves a peer that observes "a": asks again only when it is told of a change. */
static void *follow(void *number)
{
    uint32_t worker = *(uint32_t *)number, slot;
    ask_t *ask = malloc(sizeof *ask);
    for (bool told = true; !over; told = copal_tree_next_change(tree, worker, &slot)) {
        copal_tree_quiescent(tree, worker);
        if (!told) {
            sched_yield();
            continue;
        }
        begin(ask, COPAL_GET, "a");
        copal_write_option_uint(&ask->in, COPAL_OPTION_OBSERVE, 0);
        unsigned value = 0;
        if (ask_worker(ask, tree, worker) == COPAL_CONTENT && ask->answer.payload.size == sizeof value)
            memcpy(&value, ask->answer.payload.data, sizeof value);
        read_last[worker] = value;
    }
    copal_tree_offline(tree, worker);
    free(ask);
    return NULL;
}

/* A number of changes one behind the other, so that the last may come while an earlier one is being served. */
static void change_often(copal_handle_t handle, unsigned *count, unsigned times)
{
    while (times-- > 0) {
        ++*count;
        while (copal_tree_set_value(tree, handle, bytes(count, sizeof *count)) == COPAL_EFULL)
            ; /* a worker still reads what was replaced */
    }
}

static void the_newest_value_comes_to_each_worker_that_watches(void **state)
{
    (void)state;
    tree = new_tree((copal_tree_config_t){
        .limits = {.resources = 4, .arena = 8192, .workers = WORKERS},
        .exclusion = {enter, leave, &mutex},
        .observable = true,
    });
    copal_handle_t handle = add_value(tree, "a", "");
    pthread_t threads[WORKERS];
    uint32_t numbers[WORKERS] = {0, 1};
    unsigned count = 0, tries = 0;
    over = false;
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, follow, &numbers[i]), 0);
    for (unsigned round = 0; round < ROUNDS && tries < MISSED; round++) {
        change_often(handle, &count, 1 + round % 9);
        for (tries = 0; (read_last[0] != count || read_last[1] != count) && tries < MISSED; tries++)
            sched_yield();
    }
    over = true;
    for (uint32_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(read_last[0], count);
    assert_int_equal(read_last[1], count);
    free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_serve_while_another_thread_changes_everything),
        cmocka_unit_test(the_newest_value_comes_to_each_worker_that_watches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
