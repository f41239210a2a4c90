/* The server's side of a world. */
#ifndef FUZZ_COMMON_SERVED_H
#define FUZZ_COMMON_SERVED_H

#include "common/world.h"

/** Fills the tree. */
void served_add(world_t *w);

#endif
