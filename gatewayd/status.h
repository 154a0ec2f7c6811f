/* What kennelctl asks: everything in one JSON object, in pieces. */
#ifndef GATEWAYD_STATUS_H
#define GATEWAYD_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

struct control;
struct gateway;

/* What counting afresh has found. */
struct status_check {
	int		 wrong;		/* two numbers differ */
	size_t		 nsilent;
	uint32_t	 silent[SLOTS_MAX];	/* slots that said nothing */
};

/* The answer to STATUS_ASK id; check may be NULL.  0, or -1: drop c. */
int	 status_answer(struct gateway *g, struct control *c, uint64_t id,
	    const struct status_check *check);

#endif
