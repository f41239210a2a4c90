/* Events on their way from the thread that turns the host to Python. */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

#define STATES_MOST 8 /* of one observation that wait */

int binding_body_put(binding_body_t *body, size_t offset, copal_bytes_t octets, size_t most)
{
    if (offset > most || octets.size > most - offset) {
        return COPAL_ESPACE;
    }
    const size_t size = offset + octets.size;
    if (size > body->capacity) {
        const size_t capacity = offset > 0 ? 2 * size : size; /* most bodies come in one piece */
        uint8_t *grown = realloc(body->data, capacity);
        if (grown == NULL) {
            return COPAL_ENOMEM;
        }
        body->data = grown;
        body->capacity = capacity;
    }
    if (octets.size > 0) {
        memcpy(body->data + offset, octets.data, octets.size);
    }
    body->size = size;
    return 0;
}

binding_event_t *binding_event(binding_kind_t kind, const copal_message_t *message)
{
    const size_t head = message != NULL ? 4 + 2 + message->token.size + message->options.size : 0;
    binding_event_t *event = malloc(sizeof *event + head);
    if (event == NULL) {
        return NULL;
    }
    *event = (binding_event_t){.kind = kind};
    if (message != NULL) {
        copal_writer_t w;
        copal_bytes_t datagram;
        event->head = (uint8_t *)(event + 1);
        copal_writer_init(&w, event->head, head);
        copal_write_header(&w, message->type, message->code, message->id, message->token);
        copal_write_encoded(&w, message->options, 0);
        copal_writer_finish(&w, &datagram); /* there is room for exactly this */
        event->head_size = datagram.size;
    }
    return event;
}

void binding_event_free(binding_event_t *event)
{
    free(event->body.data);
    free(event);
}

void binding_queue_init(binding_queue_t *queue)
{
    pthread_mutex_init(&queue->mutex, NULL);
    queue->first = NULL;
    queue->last = &queue->first;
    queue->count = 0;
}

void binding_queue_destroy(binding_queue_t *queue)
{
    binding_event_t *event;
    while ((event = binding_queue_take(queue)) != NULL) {
        binding_event_free(event);
    }
    pthread_mutex_destroy(&queue->mutex);
}

/* Inside the mutex, as the next one. */
static void append(binding_queue_t *queue, binding_event_t *event)
{
    event->next = NULL;
    *queue->last = event;
    queue->last = &event->next;
    queue->count++;
}

void binding_queue_put(binding_queue_t *queue, binding_event_t *event)
{
    pthread_mutex_lock(&queue->mutex);
    append(queue, event);
    pthread_mutex_unlock(&queue->mutex);
}

/* Takes the event at `at` out. */
static binding_event_t *take(binding_queue_t *queue, binding_event_t **at)
{
    binding_event_t *event = *at;
    *at = event->next;
    if (queue->last == &event->next) {
        queue->last = at;
    }
    queue->count--;
    return event;
}

binding_event_t *binding_queue_take(binding_queue_t *queue)
{
    pthread_mutex_lock(&queue->mutex);
    binding_event_t *event = queue->first != NULL ? take(queue, &queue->first) : NULL;
    pthread_mutex_unlock(&queue->mutex);
    return event;
}

size_t binding_queue_count(binding_queue_t *queue)
{
    pthread_mutex_lock(&queue->mutex);
    const size_t count = queue->count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

static bool is_of(const binding_event_t *event, const binding_request_t *request)
{
    return event->request == request && request != NULL;
}

void binding_queue_drop(binding_queue_t *queue, const binding_request_t *request)
{
    pthread_mutex_lock(&queue->mutex);
    for (binding_event_t **at = &queue->first; *at != NULL;) {
        if (is_of(*at, request)) {
            binding_event_free(take(queue, at));
        } else {
            at = &(*at)->next;
        }
    }
    pthread_mutex_unlock(&queue->mutex);
}

/* Whoever is busy while states come is to know the newest. */
void binding_queue_put_state(binding_queue_t *queue, binding_event_t *event)
{
    pthread_mutex_lock(&queue->mutex);
    binding_event_t **oldest = NULL;
    unsigned states = 0;
    for (binding_event_t **at = &queue->first; *at != NULL; at = &(*at)->next) {
        if (is_of(*at, event->request)) {
            oldest = states++ == 0 ? at : oldest;
        }
    }
    if (states >= STATES_MOST) {
        binding_event_free(take(queue, oldest));
    }
    append(queue, event);
    pthread_mutex_unlock(&queue->mutex);
}

void binding_queue_drop_slot(binding_queue_t *queue, uint32_t slot)
{
    pthread_mutex_lock(&queue->mutex);
    for (binding_event_t **at = &queue->first; *at != NULL; at = &(*at)->next) {
        if ((*at)->kind == EVENT_CREATED && (*at)->handle.slot == slot) {
            binding_event_free(take(queue, at));
            break;
        }
    }
    pthread_mutex_unlock(&queue->mutex);
}
