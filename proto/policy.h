/*
 * What a route allows its WebSocket clients.  The gateway reads it in its
 * configuration, and tells the shards: options "route.LABEL.KEY", in words.
 * A key is one row of policy_keys, and a member of the struct.
 */
#ifndef PROTO_POLICY_H
#define PROTO_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/* Messages of others for who has more than out_max to read. */
enum policy_slow {
	SLOW_CLOSE,		/* end the connection */
	SLOW_DROP_NEW,		/* drop the message */
	SLOW_DROP_OLD		/* drop what waits longest, to make room */
};

struct policy_values {		/* of a route; 0: as if nothing was said */
	uint32_t	 slow;		/* enum policy_slow */
	uint32_t	 message_rate, message_burst;	/* a second; 0: any */
	uint32_t	 byte_rate;
	uint32_t	 out_max;
	uint32_t	 message_max;
};

enum policy_kind {
	POLICY_SLOW,		/* a word */
	POLICY_NUMBER,		/* 1 to max */
	POLICY_LIMIT,		/* likewise, or "none": 0 */
	POLICY_SIZE		/* likewise, bytes */
};

struct policy_key {
	const char	*key;
	enum policy_kind kind;
	size_t		 at;		/* in struct policy_values */
	uint32_t	 max;
};

/* Beside the keys: "route.LABEL.path" are the patterns of its paths (pattern.h), with
 * spaces between. */
#define POLICY_PATHS	"path"

/* The last one has no key. */
extern const struct policy_key policy_keys[];

/* NULL: there is no such key. */
const struct policy_key *policy_key(struct slice key);
/* The value of a key, where it is. */
uint32_t *policy_at(struct policy_values *v, const struct policy_key *k);
/* "close", "drop-new", "drop-old": 0, or -1. */
int	 policy_slow_parse(struct slice word, uint32_t *slow);
/* As the shards are told: into dst of size bytes, and back.  0, or -1: not a value
 * of that key. */
void	 policy_write(char *dst, size_t size, const struct policy_values *v,
	    const struct policy_key *k);
int	 policy_read(struct policy_values *v, const struct policy_key *k,
	    struct slice value);

#endif
