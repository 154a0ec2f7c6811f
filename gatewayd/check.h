/*
 * A check (kennelctl status --check): the gateway counts its books afresh, and asks
 * every shard how many connections it has.  One that says nothing within CHECK_MS
 * is silent, and the whole is unknown; one that says another number than the books
 * is wrong.
 */
#ifndef GATEWAYD_CHECK_H
#define GATEWAYD_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define CHECK_MS	5000

struct checks;
struct control;
struct ctl;
struct event_base;
struct placement;
struct roster;
struct shard;

struct check_result {
	int		 wrong;		/* two numbers differ */
	size_t		 nsilent;
	uint32_t	 silent[SLOTS_MAX];	/* slots that said nothing */
};

/* answer: to what asker has asked with id; all is borrowed.  NULL with errno. */
struct checks *checks_new(struct event_base *base, struct roster *roster,
	    struct placement *placement, void (*answer)(struct control *asker,
	    uint64_t id, const struct check_result *result, void *arg),
	    void *arg);
void	 checks_free(struct checks *cs);
/* asker is answered when all have said it, or the time is over.  0, or -1 with
 * errno. */
int	 check_begin(struct checks *cs, struct control *asker, uint64_t id);
/* A shard's STATUS. */
void	 check_said(struct checks *cs, const struct shard *s,
	    const struct ctl *m);
/* The asker has gone. */
void	 check_cancel(struct checks *cs, const struct control *asker);

#endif
