/* All of copal's core: messages, URIs, link-format, endpoint, tree. Programs on POSIX systems take copal/host.h. */
#ifndef COPAL_COPAL_H
#define COPAL_COPAL_H

#include "copal/endpoint.h"
#include "copal/link.h"
#include "copal/transfer.h"
#include "copal/tree.h"
#include "copal/uri.h"

#endif
