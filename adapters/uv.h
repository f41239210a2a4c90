/* Serves a host from a libuv loop:
 *
 *     copal_uv_t uv;
 *     copal_uv_attach(&uv, loop, host);
 *     uv_run(loop, UV_RUN_DEFAULT);
 *
 * With strict C11 libuv's header needs _POSIX_C_SOURCE to be 200809L. All is done in the loop's thread, handlers and receivers included; the host may be used from any other, as ever.
 */
#ifndef COPAL_ADAPTERS_UV_H
#define COPAL_ADAPTERS_UV_H

#include "copal/host.h"

#include <uv.h>

/** A host in a loop. Lent from attach until `closed` was called. */
typedef struct copal_uv_t copal_uv_t;
struct copal_uv_t {
    void *data; /* yours */
    int status; /* to be read: the first error there was, of copal_host_step or of libuv; or COPAL_EFULL: the host has so many
                 * workers that it has more than COPAL_HOST_DESCRIPTORS, and not all are watched. The loop goes on */

    /* Private. */
    copal_host_t *host_;
    void (*closed_)(copal_uv_t *uv);
    size_t count_; /* descriptors watched */
    size_t open_;  /* handles not closed yet */
    uv_prepare_t prepare_;
    uv_timer_t timer_;
    uv_poll_t polls_[COPAL_HOST_DESCRIPTORS];
};

static inline void copal_uv__serve(copal_uv_t *uv)
{
    int status = copal_host_step(uv->host_, 0);
    if (status < 0 && uv->status == 0)
        uv->status = status;
}

static inline void copal_uv__ready(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error of the socket is the host's to read */
    (void)events;
    copal_uv__serve((copal_uv_t *)poll->data);
}

static inline void copal_uv__due(uv_timer_t *timer)
{
    copal_uv__serve((copal_uv_t *)timer->data);
}

/* Descriptors are added as the host opens them, in its own order or at the end of a side, and stay until it is closed. */
static inline int copal_uv__watch(copal_uv_t *uv, int descriptor)
{
    for (size_t i = 0; i < uv->count_; i++) {
        uv_os_fd_t watched;
        if (uv_fileno((uv_handle_t *)&uv->polls_[i], &watched) == 0 && watched == descriptor)
            return 0;
    }
    uv_poll_t *poll = &uv->polls_[uv->count_];
    int status = uv_poll_init(uv->prepare_.loop, poll, descriptor);
    if (status != 0)
        return status;
    poll->data = uv;
    uv->count_++;
    uv->open_++;
    return uv_poll_start(poll, UV_READABLE, copal_uv__ready);
}

/* Runs before each sleep of the loop: whatever was done since may have opened a socket, or made something due. */
static inline void copal_uv__prepare(uv_prepare_t *prepare)
{
    copal_uv_t *uv = (copal_uv_t *)prepare->data;
    int descriptors[COPAL_HOST_DESCRIPTORS];
    size_t count = copal_host_descriptors(uv->host_, descriptors, COPAL_HOST_DESCRIPTORS);
    if (count > COPAL_HOST_DESCRIPTORS && uv->status == 0)
        uv->status = COPAL_EFULL;
    for (size_t i = 0; i < count && i < COPAL_HOST_DESCRIPTORS; i++) {
        int status = copal_uv__watch(uv, descriptors[i]);
        if (status != 0 && uv->status == 0)
            uv->status = status;
    }
    int due = copal_host_timeout(uv->host_);
    if (due < 0)
        uv_timer_stop(&uv->timer_);
    else
        uv_timer_start(&uv->timer_, copal_uv__due, (uint64_t)due, 0);
}

/** Serves `host` from `loop` until copal_uv_detach; the loop does not end by itself meanwhile. `uv` need not be zero. */
static inline void copal_uv_attach(copal_uv_t *uv, uv_loop_t *loop, copal_host_t *host)
{
    uv->status = 0;
    uv->host_ = host;
    uv->closed_ = NULL;
    uv->count_ = 0;
    uv->open_ = 2;
    uv_prepare_init(loop, &uv->prepare_);
    uv_timer_init(loop, &uv->timer_);
    uv->prepare_.data = uv->timer_.data = uv;
    uv_prepare_start(&uv->prepare_, copal_uv__prepare);
}

static inline void copal_uv__closed(uv_handle_t *handle)
{
    copal_uv_t *uv = (copal_uv_t *)handle->data;
    if (--uv->open_ == 0 && uv->closed_)
        uv->closed_(uv);
}

/** Takes the host out of the loop; may be called inside of handlers. `closed` (may be NULL) is called by the loop soon after:
 *  from then on `uv` is yours again, and the host may be closed, not before. */
static inline void copal_uv_detach(copal_uv_t *uv, void (*closed)(copal_uv_t *uv))
{
    uv->closed_ = closed;
    uv_close((uv_handle_t *)&uv->prepare_, copal_uv__closed);
    uv_close((uv_handle_t *)&uv->timer_, copal_uv__closed);
    for (size_t i = 0; i < uv->count_; i++)
        uv_close((uv_handle_t *)&uv->polls_[i], copal_uv__closed);
}

#endif
