/*
 * Three shards in one process: their groups and their links are real, the loop is the
 * test's.
 */
#ifndef TESTS_SHARDS_H
#define TESTS_SHARDS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/turn.h"
#include "proto/keys.h"
#include "shardd/group/groups.h"
#include "shardd/group/replica.h"
#include "shardd/kennel.h"
#include "shardd/peers/wire.h"

#define SHARDS	3

static struct groups		 shards[SHARDS];
static struct peer_id		 peers[SHARDS];
static char			 addresses[SHARDS][ADDRESS_MAX];
static char			 paths[SHARDS][64];
static struct wires		*wires[SHARDS];
static struct replica		*replicas[SHARDS];	/* ids 100, 101, 102 */
static unsigned			 whisper_ask;
static char			 dir[32];

/* groups_ops */
static void
link_lost_cb(void *arg, const struct peer_id *peer, const char *why)
{
	(void)arg, (void)peer, (void)why;
}

/* groups_ops */
static void
nothing_cb(void *arg)
{
	(void)arg;
}

/* groups_ops: nobody is connected. */
static size_t
connections_cb(void *arg)
{
	(void)arg;
	return (0);
}

static const struct groups_ops	 shards_ops = {
	link_lost_cb, nothing_cb, nothing_cb, connections_cb
};

/* Where the shards' sockets are. */
static void
shards_begin(void)
{
	strcpy(dir, "/tmp/shards.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	whisper_ask = 8;
}

/* What shard i is called. */
static void
shards_name(uint32_t i)
{
	peers[i] = (struct peer_id){ NULL, i, 0x100 + i };
	keys_address(addresses[i], sizeof(addresses[i]), "here", i,
	    peers[i].incarnation);
	snprintf(paths[i], sizeof(paths[i]), "%s/link.%u", dir, i);
}

/* Shard i, which has its name, in the loop b; desk, clients and self may be NULL. */
static void
shards_start(uint32_t i, struct event_base *b, struct authority_desk *desk,
    struct clients *clients, const struct lookup_self *self)
{
	ck_assert_int_eq(groups_init(&shards[i], b, &peers[i], "here",
	    &whisper_ask, desk, clients, &shards_ops, NULL), 0);
	ck_assert_int_eq(groups_start(&shards[i], self, "", ""), 0);
	wires[i] = wires_new(shards[i].hood.links, paths[i]);
	ck_assert_ptr_nonnull(wires[i]);
}

/* Shard i has a replica of the group "room", of the application a. */
static void
shards_replica(size_t i, uint64_t id, const struct kennel_app *a)
{
	replicas[i] = group_new(&shards[i], id, slice_str("room"),
	    slice_str("main"), a);
	ck_assert_ptr_nonnull(replicas[i]);
}

/* The replica of shard i hears of that of the other. */
static void
introduce(size_t i, size_t other)
{
	neighbours_introduce(replicas[i]->neighbours, 100 + other,
	    &peers[other], paths[other]);
}

/* All three replicas hear of each other. */
static void
shards_introduce_all(void)
{
	for (size_t i = 0; i < SHARDS; i++)
		for (size_t j = 0; j < SHARDS; j++)
			if (i != j)
				introduce(i, j);
}

/* No shard has a replica any more. */
static void
shards_end(void)
{
	for (size_t i = 0; i < SHARDS; i++) {
		wires_free(wires[i]);
		groups_end_links(&shards[i]);
		groups_clear(&shards[i]);
	}
	turn_end();
	rmdir(dir);
}

#endif
