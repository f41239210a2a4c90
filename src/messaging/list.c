#include "list.h"

void copal__list_add(copal__list_t *list, copal__link_pair_t *links, uint32_t slot)
{
    links[slot] = (copal__link_pair_t){0, list->last};
    *(list->last ? &links[list->last - 1].next : &list->first) = slot + 1;
    list->last = slot + 1;
}

void copal__list_remove(copal__list_t *list, copal__link_pair_t *links, uint32_t slot)
{
    const copal__link_pair_t *l = &links[slot];
    *(l->former ? &links[l->former - 1].next : &list->first) = l->next;
    *(l->next ? &links[l->next - 1].former : &list->last) = l->former;
}
