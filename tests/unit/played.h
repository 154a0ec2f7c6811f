/*
 * Three shards of a gateway, which the test plays: what the gateway knows of them is real,
 * and so are their channels, whose other ends are the test's.
 */
#ifndef TESTS_PLAYED_H
#define TESTS_PLAYED_H

#include <sys/socket.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "gatewayd/placement.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/totals.h"
#include "gatewayd/verify.h"
#include "proto/channel.h"

#define SHARDS	3

static struct event_base *base;
static struct placement	*p;
static struct shards	*all;
static struct totals	 totals;
static struct settings	 settings;
static struct control	*peers[SHARDS];	/* the shards' ends */
static uint64_t		 next_id;

/* A channel has ended. */
static void
peer_end_cb(struct control *c, const char *why, void *arg)
{
	(void)c, (void)why, (void)arg;
}

/* shard_ops */
static void
moved_cb(void *arg)
{
	(void)arg;
}

/* shard_ops */
static void
shard_cb(struct shard *s, void *arg)
{
	(void)s, (void)arg;
}

static const struct shard_ops shard_ops = { moved_cb, shard_cb, shard_cb };

/*
 * All are ready, of incarnations 100, 101 ...; at_gateway hears what they say (arg: the
 * struct shard), at_shard what they are told (arg: an int, which one).
 */
static void
played_begin(control_message_cb *at_gateway, control_message_cb *at_shard)
{
	static int	 slots[SHARDS] = { 0, 1, 2 };
	struct shard	*s;
	int		 fds[2];

	base = event_base_new();
	event_base_priority_init(base, 2);
	memset(&settings, 0, sizeof(settings));
	memset(&totals, 0, sizeof(totals));
	settings.worker = strdup("/bin/true");
	settings.run_dir = strdup("/nonexistent");
	p = placement_new(7, NULL, NULL);
	all = calloc(1, sizeof(*all));
	ck_assert_int_eq(shards_init(all, base, &settings, p, NULL, &shard_ops,
	    NULL), 0);
	for (uint32_t i = 0; i < SHARDS; i++) {
		s = &all->slots[i];
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET |
		    SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
		s->incarnation = 100 + i;
		s->control = control_new(base, fds[0], "shard", at_gateway,
		    NULL, peer_end_cb, s);
		peers[i] = control_new(base, fds[1], "peer", at_shard, NULL,
		    peer_end_cb, &slots[i]);
		s->site = placement_site_add(p, i, s->incarnation, 1000, s);
		shard_move(s, SHARD_READY);
	}
	next_id = 1;
}

/* What the test has put on top is gone already. */
static void
played_end(void)
{
	for (size_t i = 0; i < SHARDS; i++) {
		control_free(peers[i]);
		control_free(all->slots[i].control);
		all->slots[i].control = NULL;
	}
	placement_free(p);
	shards_clear(all);
	free(all);
	free(settings.worker);
	free(settings.run_dir);
	event_base_free(base);
}

/* The loop goes round once, and whoever waits says what there is to say. */
static void
played_round(void)
{
	for (size_t i = 0; i < SHARDS; i++) {
		control_flush(peers[i]);
		if (all->slots[i].control != NULL)
			control_flush(all->slots[i].control);
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
}

#endif
