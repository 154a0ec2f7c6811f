/* Would this node take a connection now? */
#ifndef GATEWAYD_READY_H
#define GATEWAYD_READY_H

#include <stddef.h>
#include <stdint.h>

struct control;
struct status;

#define READY_MAX	4

/* What is missing, in words: 0 if nothing is. */
size_t	 ready_missing(const struct status *st, const char *why[READY_MAX]);
/* kennelctl asks: "ready", a boolean, and "missing", sentences, as answer id.  0, or
 * -1: drop c. */
int	 ready_answer(const struct status *st, struct control *c, uint64_t id);

#endif
