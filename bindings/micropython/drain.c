/* The drain: on the main thread, makes objects of what waits and calls the script's functions. */
#include <stdatomic.h>
#include <string.h>

#include "network_coap.h"

/* MicroPython has been asked to drain and has not begun to. */
static atomic_bool scheduled;
/* It has begun to, and a callback may run. */
static atomic_bool draining;
/* A Ctrl-C was taken back that nobody could catch, and is to be told of. */
static atomic_bool uncaught;

static mp_obj_t callback_of(const coap_event_t *event)
{
    if (event->session == 0) {
        return MP_STATE_VM(coap_new_resource_handler);
    }
    return event->status == 0 ? MP_STATE_VM(coap_response_handler) : MP_STATE_VM(coap_error_handler);
}

static mp_obj_t reason(const coap_event_t *event)
{
    const int status = event->status;
    const char *text = status == COPAL_ETIMEOUT       ? "timeout"
                       : status == COPAL_ERESET       ? "reset"
                       : status == COPAL_EUNREACHABLE ? "unreachable"
                       : status == COPAL_EFORMAT      ? "blocks do not fit together"
                       : event->problem[0] != 0       ? event->problem
                                                      : copal_error_text(status);
    return mp_obj_new_str(text, strlen(text));
}

/* The positional arguments of the callback; returns how many. */
static size_t arguments_of(const coap_event_t *event, mp_obj_t arguments[5])
{
    if (event->session == 0) {
        arguments[0] = coap_resource_object(event->handle);
        return 1;
    }
    mp_obj_t id = MP_OBJ_NEW_SMALL_INT(event->id);
    mp_obj_t token = mp_obj_new_bytes(event->token, event->token_size);
    if (event->status != 0) {
        arguments[0] = id;
        arguments[1] = token;
        arguments[2] = reason(event);
        return 3;
    }
    arguments[0] = MP_OBJ_NEW_SMALL_INT(event->code);
    arguments[1] = id;
    arguments[2] = MP_OBJ_NEW_SMALL_INT(event->type);
    arguments[3] = token;
    arguments[4] = mp_obj_new_bytes(event->body.data, event->body.size);
    return 5;
}

/* Printing may raise, too: for want of memory, or by Ctrl-C. The first is not worth another exception. */
static void print(mp_obj_t exception)
{
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_obj_print_exception(MICROPY_ERROR_PRINTER, exception);
        nlr_pop();
    } else if (mp_obj_exception_match(MP_OBJ_FROM_PTR(nlr.ret_val), MP_OBJ_FROM_PTR(&mp_type_KeyboardInterrupt))) {
        mp_sched_keyboard_interrupt();
    }
}

/* What a callback ended with: its traceback is printed. But Ctrl-C means the script, not only its callback, and is
 * raised again there, unless the prompt waits for input: nobody could catch it then, and the prompt has its own way. */
static void ended_by(mp_obj_t exception)
{
    bool caught = MP_STATE_THREAD(nlr_top)->prev != NULL;
    if (caught && mp_obj_exception_match(exception, MP_OBJ_FROM_PTR(&mp_type_KeyboardInterrupt))) {
        mp_sched_keyboard_interrupt();
    } else {
        print(exception);
    }
}

/* Calls the script's function for one event. */
static void show(const coap_event_t *event)
{
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_obj_t callback = callback_of(event);
        if (coap_given(callback)) {
            mp_obj_t arguments[5];
            size_t count = arguments_of(event, arguments);
            mp_call_function_n_kw(callback, count, 0, arguments);
        }
        nlr_pop();
    } else {
        ended_by(MP_OBJ_FROM_PTR(nlr.ret_val));
    }
}

static bool is_interrupted(void)
{
    return MP_STATE_MAIN_THREAD(mp_pending_exception) != MP_OBJ_NULL;
}

static mp_obj_t drain(mp_obj_t unused)
{
    (void)unused;
    if (coap_state.host != NULL) {
        coap_defer_interrupt();
    } /* else it was scheduled before deinit() */
    atomic_store(&scheduled, false);
    atomic_store(&draining, true);
    if (atomic_exchange(&uncaught, false)) {
        print(MP_OBJ_FROM_PTR(&MP_STATE_VM(mp_kbd_exception)));
    }
    /* Those that are here now; what a callback brings about waits for its turn, so that the script gets on, too. */
    for (size_t left = coap_events_waiting(); left > 0 && !is_interrupted(); left--) {
        coap_event_t *event = coap_event_next();
        if (event == NULL) {
            break; /* a callback cancelled what waited, or called deinit() */
        }
        show(event);
        coap_event_destroy(event);
    }
    atomic_store(&draining, false);
    coap_drain_schedule();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(drain_obj, drain);

bool coap_drain_wanted(void)
{
    /* A callback may end by Ctrl-C, which then waits like an event, for the script may be asleep. */
    return coap_events_waiting() > 0 || atomic_load(&draining) || atomic_load(&uncaught) || is_interrupted();
}

/* A callback may end by Ctrl-C when the script does: what is raised then finds the prompt, whose waiting nothing catches. */
void coap_drain_calm_prompt(void)
{
    if (is_interrupted() && MP_STATE_MAIN_THREAD(nlr_top) == NULL) {
        MP_STATE_MAIN_THREAD(mp_pending_exception) = MP_OBJ_NULL;
        atomic_store(&uncaught, true);
    }
}

void coap_drain_schedule(void)
{
    if ((coap_events_waiting() > 0 || atomic_load(&uncaught)) && !atomic_exchange(&scheduled, true) &&
        !mp_sched_schedule(MP_OBJ_FROM_PTR(&drain_obj), mp_const_none)) {
        atomic_store(&scheduled, false); /* its queue is full; the driver asks again */
    }
}

void coap_drain_forget(void)
{
    atomic_store(&scheduled, false);
}
