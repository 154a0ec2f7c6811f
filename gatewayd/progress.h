/* How far an upgrade is, in JSON and in numbers. */
#ifndef GATEWAYD_PROGRESS_H
#define GATEWAYD_PROGRESS_H

#include <stddef.h>

#include "gatewayd/transfer.h"

struct json_t;
struct upgrade;

/* How far it is, or how the last one ended; NULL: no memory. */
struct json_t *progress_json(const struct upgrade *u);
/* What became of those that were to move so far. */
struct transfer_count progress_sum(const struct upgrade *u);
/* How many are still to move, at least. */
size_t	 progress_left(const struct upgrade *u);

#endif
