/*
 * What a route allows its WebSocket clients, and a raw listener its own: the gateway says it before START, and
 * again when its configuration has changed; the connections of the route share it.
 * Only those of a route that asks for something keep a meter of their own.
 */
#ifndef SHARDD_POLICY_H
#define SHARDD_POLICY_H

#include <stdint.h>

#include "common/bucket.h"
#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"
#include "proto/policy.h"

struct capsule;
struct policy;

struct meter {
	const struct policy *policy;
	struct bucket	 messages, bytes;
};

struct policy {
	struct map_node	 by_label;	/* of the route */
	char		*label;
	char		*paths;		/* patterns of its paths, or NULL */
	struct policy_values allows;
	struct meter	 common;	/* of all that have measured nothing yet */
	struct list	 settings;	/* a listener's for its application */
};

/* "route.<label>.<key>": 0, or -1 with errno EINVAL or ENOMEM. */
int	 policy_option(struct map *policies, struct slice key, struct slice value);
/* "listener <label>": what a raw one allows, and what its application wants to know; a
 * line a key, in place of all that was known. */
int	 policy_listener(struct map *policies, struct slice key,
	    struct slice value);
void	 policies_clear(struct map *policies);
/* For a connection of this route; NULL if the route is not known. */
struct meter *meter_new(const struct map *policies, struct slice label);
void	 meter_free(struct meter *m);
/* What a client sent; *m may be NULL.  0: more than its route allows, as of now.
 * *m becomes one of its own once there is something to measure. */
int	 meter_bytes(struct meter **m, size_t n);
int	 meter_message(struct meter **m);
/* What a journey takes along of it, and makes of that.  0, or -1 without memory. */
void	 meter_pack(const struct meter *m, struct capsule *cap);
int	 meter_unpack(struct meter **m, const struct capsule *cap);
/* Bytes that may wait for a client; 0: what is usual. */
uint32_t meter_out_max(const struct meter *m);
/* Bytes of the largest message that it may send; 0: as everybody. */
uint32_t meter_message_max(const struct meter *m);
/* What its listener says to its application, or NULL. */
const char *meter_setting(const struct meter *m, const char *key);
enum policy_slow meter_slow(const struct meter *m);

#endif
