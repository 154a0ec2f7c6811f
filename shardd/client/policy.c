/* What a route allows its WebSocket clients. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "proto/capsule.h"
#include "shardd/client/policy.h"

#define POLICY_PREFIX	"route."

static struct policy *
policy_find(const struct map *policies, struct slice label)
{
	struct map_node	*n = map_find(policies, label.data, label.len);

	return (n == NULL ? NULL : container_of(n, struct policy, by_label));
}

static struct policy *
policy_new(struct map *policies, struct slice label)
{
	struct policy	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->common.policy = p;
	if ((p->label = slice_dup(label)) == NULL || map_insert(policies,
	    &p->by_label, p->label, label.len) == -1) {
		free(p->label);
		free(p);
		return (NULL);
	}
	return (p);
}

static int
policy_set(struct policy *p, struct slice key, struct slice value)
{
	const struct policy_key	*k = policy_key(key);

	if (k != NULL && policy_read(&p->allows, k, value) == 0)
		return (0);
	errno = EINVAL;
	return (-1);
}

int
policy_option(struct map *policies, struct slice key, struct slice value)
{
	struct slice	 label = key;
	struct policy	*p;

	/* A label may have dots; a key has none. */
	while (label.len > 0 && label.data[label.len - 1] != '.')
		label.len--;
	if (label.len <= strlen(POLICY_PREFIX)) {
		errno = EINVAL;
		return (-1);
	}
	key = slice_of(key.data + label.len, key.len - label.len);
	label.data += strlen(POLICY_PREFIX);
	label.len -= strlen(POLICY_PREFIX) + 1;
	if ((p = policy_find(policies, label)) == NULL &&
	    (p = policy_new(policies, label)) == NULL)
		return (-1);
	return (policy_set(p, key, value));
}

void
policies_clear(struct map *policies)
{
	struct map_node	*n;
	struct policy	*p;

	while ((n = map_first(policies)) != NULL) {
		p = container_of(n, struct policy, by_label);
		map_remove(policies, n);
		free(p->label);
		free(p);
	}
	map_clear(policies);
}

struct meter *
meter_new(const struct map *policies, struct slice label)
{
	struct policy	*p = policy_find(policies, label);

	return (p == NULL ? NULL : &p->common);
}

void
meter_free(struct meter *m)
{
	if (m != NULL && m != &m->policy->common)
		free(m);
}

/* A meter of the connection's own; NULL without memory: nothing is measured then. */
static struct meter *
meter_own(struct meter **m)
{
	struct meter	*own;

	if (*m != &(*m)->policy->common)
		return (*m);
	if ((own = calloc(1, sizeof(*own))) == NULL)
		return (NULL);
	own->policy = (*m)->policy;
	*m = own;
	return (own);
}

int
meter_bytes(struct meter **m, size_t n)
{
	const struct policy_values	*p;
	struct meter			*own;

	if (*m == NULL || (p = &(*m)->policy->allows)->byte_rate == 0 ||
	    (own = meter_own(m)) == NULL)
		return (1);
	return (bucket_take(&own->bytes, clock_ms(), p->byte_rate,
	    p->byte_rate > UINT32_MAX / 2 ? UINT32_MAX : 2 * p->byte_rate,
	    n > UINT32_MAX ? UINT32_MAX : (uint32_t)n));
}

int
meter_message(struct meter **m)
{
	const struct policy_values	*p;
	struct meter			*own;

	if (*m == NULL || (p = &(*m)->policy->allows)->message_rate == 0 ||
	    (own = meter_own(m)) == NULL)
		return (1);
	return (bucket_take(&own->messages, clock_ms(), p->message_rate,
	    p->message_burst != 0 ? p->message_burst :
	    p->message_rate > UINT32_MAX / 2 ? UINT32_MAX :
	    2 * p->message_rate, 1));
}

void
meter_pack(const struct meter *m, struct capsule *cap)
{
	if (m == NULL)
		return;
	cap->route = slice_str(m->policy->label);
	cap->messages = (struct capsule_bucket){ m->messages.tokens,
	    m->messages.at };
	cap->bytes = (struct capsule_bucket){ m->bytes.tokens, m->bytes.at };
}

int
meter_unpack(struct meter **m, const struct capsule *cap)
{
	struct meter	*own;

	if (*m == NULL || (cap->messages.at == 0 && cap->bytes.at == 0))
		return (0);
	if ((own = meter_own(m)) == NULL)
		return (-1);
	own->messages = (struct bucket){ cap->messages.tokens,
	    cap->messages.at };
	own->bytes = (struct bucket){ cap->bytes.tokens, cap->bytes.at };
	return (0);
}

enum policy_slow
meter_slow(const struct meter *m)
{
	return (m == NULL ? SLOW_CLOSE : (enum policy_slow)m->policy->allows.slow);
}
