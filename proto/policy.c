/* What a route allows its WebSocket clients. */
#include <stdio.h>

#include "proto/policy.h"

#define RATE_MAX	1000000000	/* messages a second */
#define BYTES_MAX	(1 << 30)	/* bytes a second */
#define OUT_MAX		(1 << 30)	/* bytes */
#define MESSAGE_MAX	(1 << 30)	/* bytes */
#define AT(member)	offsetof(struct policy_values, member)

const struct policy_key	 policy_keys[] = {
	{ "slow",		POLICY_SLOW,	AT(slow),		0 },
	{ "message_rate",	POLICY_LIMIT,	AT(message_rate),	RATE_MAX },
	{ "message_burst",	POLICY_NUMBER,	AT(message_burst),	RATE_MAX },
	{ "byte_rate",		POLICY_SIZE,	AT(byte_rate),		BYTES_MAX },
	{ "out_max",		POLICY_SIZE,	AT(out_max),		OUT_MAX },
	{ "message_max",	POLICY_SIZE,	AT(message_max),	MESSAGE_MAX },
	{ NULL, POLICY_SLOW, 0, 0 }
};

static const char	*const policy_slows[] = {
	[SLOW_CLOSE]	= "close",
	[SLOW_DROP_NEW]	= "drop-new",
	[SLOW_DROP_OLD]	= "drop-old",
};

const struct policy_key *
policy_key(struct slice key)
{
	const struct policy_key	*k;

	for (k = policy_keys; k->key != NULL; k++)
		if (slice_is(key, k->key))
			return (k);
	return (NULL);
}

uint32_t *
policy_at(struct policy_values *v, const struct policy_key *k)
{
	return ((uint32_t *)(void *)((char *)v + k->at));
}

int
policy_slow_parse(struct slice word, uint32_t *slow)
{
	for (uint32_t i = 0; i < nitems(policy_slows); i++)
		if (slice_is(word, policy_slows[i])) {
			*slow = i;
			return (0);
		}
	return (-1);
}

void
policy_write(char *dst, size_t size, const struct policy_values *v,
    const struct policy_key *k)
{
	uint32_t	 n = *(const uint32_t *)(const void *)
			    ((const char *)v + k->at);

	if (k->kind == POLICY_SLOW)
		snprintf(dst, size, "%s", policy_slows[n]);
	else
		snprintf(dst, size, "%u", n);
}

int
policy_read(struct policy_values *v, const struct policy_key *k,
    struct slice value)
{
	uint64_t	 n;

	if (k->kind == POLICY_SLOW)
		return (policy_slow_parse(value, policy_at(v, k)));
	if (slice_u64(value, UINT32_MAX, &n) == -1)
		return (-1);
	*policy_at(v, k) = (uint32_t)n;
	return (0);
}
