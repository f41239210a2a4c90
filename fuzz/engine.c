/* Both ends of the engine: the octets are steps of the network, the clock, a client, a server, and of others who send what they
 * like. common/world.c says what must hold after each. */
#include "common/world.h"

static const copal_code_t codes[] = {COPAL_GET, COPAL_POST, COPAL_PUT, COPAL_DELETE, COPAL_FETCH, COPAL_PATCH, COPAL_IPATCH,
                                     COPAL_EMPTY};

static const char *path_of(input_t *in) { return world_paths[input_below(in, PATHS)]; }

/* ---- messages of the input's own ------------------------------------------------------------------------------------ */

/* Options and payload: a number and a length for each, then octets. */
static void write_rest(void *context, copal_writer_t *w)
{
    static const uint16_t numbers[] = {1, 4, 4, 5, 6, 6, 12, 12, 14, 15, 16, 17, 23, 23, 23, 27, 27, 27, 28, 60, 252, 258, 258, 292,
                                       3, 7, 9, 35, 65, 2048};
    input_t *in = context;
    for (unsigned count = input_below(in, 5); count > 0; count--) {
        const uint16_t number = numbers[input_below(in, sizeof numbers / sizeof numbers[0])];
        const copal_option_definition_t *known = copal_option_definition(number);
        const copal_bytes_t value = input_take(in, input_below(in, known ? known->most + 1u : 20));
        if (!known || value.size >= known->least)
            copal_write_option(w, number, value);
    }
    copal_write_payload(w, input_take(in, input_below(in, 70)));
}

static void other_asks(world_t *w, input_t *in, bool multicast)
{
    message_t m;
    const unsigned other = input_below(in, OTHERS);
    const uint8_t first = input_octet(in);
    const copal_code_t code = codes[first & 7];
    const copal_bytes_t token = input_take(in, first >> 3 & 3);
    const uint16_t id = input_octet(in);
    message_start(&m, multicast || first & 32 ? COPAL_NON : COPAL_CON, code, id, code == COPAL_EMPTY ? NO_BYTES : token);
    if (code != COPAL_EMPTY) {
        copal_write_path(&m.w, copal_text(path_of(in)));
        if (first & 64)
            copal_write_option_uint(&m.w, COPAL_OPTION_URI_QUERY, input_below(in, BEHAVIOURS) << 8);
        write_rest(in, &m.w);
    }
    if (m.w.error == 0)
        world_hear_other(w, other, multicast, message_end(&m));
}

/* Something else in the place of what is on the wire. */
static void change(world_t *w, input_t *in)
{
    if (w->passing == 0)
        return;
    passing_t *p = &w->wire[input_below(in, w->passing)];
    p->data[input_below(in, (uint32_t)p->size)] ^= input_octet(in);
    w->spoiled = true;
}

/* ---- the client ------------------------------------------------------------------------------------------------------ */

static void ask(world_t *w, input_t *in, kind_t kind)
{
    const uint8_t first = input_octet(in);
    plan_t plan = {.kind = kind,
                   .behaviour = (behaviour_t)input_below(in, BEHAVIOURS),
                   .path = path_of(in),
                   .code = codes[first & 7],
                   .confirmable = first & 8 && kind != GROUP,
                   .timeout = first & 16 ? 1 + input_below(in, 60000) : 0,
                   .options = write_rest,
                   .context = in};
    if (kind == TRANSFER) {
        plan.bodied = first & 32;
        plan.size = input_below(in, BODY_MOST);
        plan.szx = input_octet(in);
    }
    world_ask(w, &plan);
}

static void give_up(world_t *w, input_t *in, bool deregister)
{
    if (w->count > 0)
        world_cancel(w, &w->jobs[input_below(in, w->count)], deregister);
}

static void hear_of_network(world_t *w, input_t *in)
{
    const copal_peer_t server = peer_of(0x0a000001u);
    switch (input_below(in, 4)) {
    case 0:
        copal_endpoint_unreachable(w->client.endpoint, w->now, &server, (copal_bytes_t){w->last, w->last_size});
        break;
    case 1:
        copal_endpoint_unreachable(w->client.endpoint, w->now, &server, input_take(in, 12));
        break;
    case 2:
        copal_endpoint_lost(w->client.endpoint, w->now, &server, COPAL_ECLOSED);
        break;
    default:
        copal_endpoint_renewed(w->client.endpoint, w->now, &server);
    }
}

/* ---- the server ------------------------------------------------------------------------------------------------------ */

static void serve(world_t *w, input_t *in)
{
    const uint32_t which = input_below(in, 6);
    copal_handle_t found;
    if (which < 2) {
        const copal_bytes_t value = input_take(in, input_below(in, 300));
        const int status = copal_tree_set_value(w->tree, w->values[which], value);
        check(status == 0 || status == COPAL_EFULL || status == COPAL_ESTALE);
    } else if (which == 2) {
        check_equal(copal_tree_changed(w->tree, w->handler), 0);
    } else if (which == 3) {
        const char *path = path_of(in);
        const int status = copal_tree_find(w->tree, path, &found);
        if (status == 0 && strcmp(path, "run") != 0)
            check_equal(copal_tree_remove(w->tree, found), 0);
    } else if (which == 4) {
        const copal_value_options_t options = {.content_format = input_octet(in) - 1, .max_age = input_octet(in) - 1,
                                               .etag = true, .methods = COPAL_METHODS_ALL};
        const int status = copal_tree_add_value(w->tree, path_of(in), copal_text("new"), &options, NULL);
        check(status == 0 || status == COPAL_EFULL || status == COPAL_EEXIST);
    } else if (w->deferred > 0) {
        world_answer(w, input_below(in, w->deferred < LATER ? w->deferred : LATER), input_octet(in) & 1);
    }
}

/* ---- steps ----------------------------------------------------------------------------------------------------------- */

static void pass(world_t *w, input_t *in, uint32_t how)
{
    const unsigned place = how == 0 || w->passing == 0 ? 0 : input_below(in, w->passing);
    if (w->passing == 0)
        return;
    if (how == 3)
        world_lose(w, place);
    else
        world_deliver(w, place, how == 2);
}

/* All that is under way arrives, and so do the answers. */
static void calm(world_t *w)
{
    for (unsigned turns = 0; w->passing > 0 && turns < 200; turns++) {
        world_deliver(w, 0, false);
        world_pump(w);
    }
}

static void step(world_t *w, input_t *in)
{
    const uint32_t what = input_below(in, 24);
    if (what < 4)
        pass(w, in, what);
    else if (what < 6)
        calm(w);
    else if (what == 6)
        change(w, in);
    else if (what == 7)
        world_wait_until_due(w);
    else if (what == 8)
        world_wait(w, input_octet(in) * 16);
    else if (what == 9)
        world_wait(w, input_octet(in) * 4000);
    else if (what < 13)
        ask(w, in, REQUEST);
    else if (what == 13)
        ask(w, in, OBSERVATION);
    else if (what == 14)
        ask(w, in, GROUP);
    else if (what == 15 || what == 16)
        ask(w, in, TRANSFER);
    else if (what == 17)
        give_up(w, in, input_octet(in) & 1);
    else if (what == 18)
        serve(w, in);
    else if (what == 19)
        other_asks(w, in, false);
    else if (what == 20)
        other_asks(w, in, true);
    else if (what == 21)
        world_hear_other(w, input_below(in, OTHERS), false, input_take(in, input_below(in, 80)));
    else if (what == 22)
        world_hear_client(w, input_take(in, input_below(in, 80)));
    else
        hear_of_network(w, in);
    world_pump(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = input_of(data, size);
    world_t *w = world_open(data, size, input_octet(&in) & 1);
    while (input_left(&in) > 0)
        step(w, &in);
    world_close(w);
    return 0;
}
