/*
 * kennelctl status --check: the gateway counts its books afresh, and asks every
 * shard how many connections it has.  One that says nothing within CHECK_MS is
 * silent, and the whole is unknown; one that says another number than the books is
 * wrong.
 */
#ifndef GATEWAYD_CHECK_H
#define GATEWAYD_CHECK_H

#include <stdint.h>

#define CHECK_MS	5000

struct control;
struct ctl;
struct gateway;
struct shard;

/* asker is answered when all have said it, or the time is over.  0, or -1 with
 * errno. */
int	 check_begin(struct gateway *g, struct control *asker, uint64_t id);
/* A shard's STATUS. */
void	 check_said(struct gateway *g, const struct shard *s,
	    const struct ctl *m);
/* The asker has gone. */
void	 check_cancel(struct gateway *g, const struct control *asker);

#endif
