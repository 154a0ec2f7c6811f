/* What a route allows its WebSocket clients. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "proto/capsule.h"
#include "shardd/client/policy.h"

#define POLICY_PREFIX	"route."
#define POLICY_LISTENER	"listener "

/* What a listener says to its application. */
struct policy_setting {
	struct list	 at;		/* policy->settings */
	char		*key, *value;
};

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
	list_init(&p->settings);
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
	char			*paths;

	if (slice_is(key, POLICY_PATHS)) {
		if ((paths = slice_dup(value)) == NULL)
			return (-1);
		free(p->paths);
		p->paths = paths;
		return (0);
	}
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

/* The setting of that name, or NULL. */
static struct policy_setting *
policy_setting_find(const struct policy *p, struct slice key)
{
	struct policy_setting	*s;

	for (struct list *e = p->settings.next; e != &p->settings; e = e->next) {
		s = list_entry(e, struct policy_setting, at);
		if (slice_is(key, s->key))
			return (s);
	}
	return (NULL);
}

/* Keep what the application wants to know.  0, or -1: no memory. */
static int
policy_setting_put(struct policy *p, struct slice key, struct slice value)
{
	struct policy_setting	*s = policy_setting_find(p, key);
	char			*copy;

	if ((copy = slice_dup(value)) == NULL)
		return (-1);
	if (s == NULL) {
		if ((s = calloc(1, sizeof(*s))) == NULL ||
		    (s->key = slice_dup(key)) == NULL) {
			free(s);
			free(copy);
			return (-1);
		}
		list_push(&p->settings, &s->at);
	}
	free(s->value);
	s->value = copy;
	return (0);
}

/* Forget what the application was to know. */
static void
policy_settings_clear(struct policy *p)
{
	struct policy_setting	*s;

	while (!list_empty(&p->settings)) {
		s = list_entry(p->settings.next, struct policy_setting, at);
		list_remove(&s->at);
		free(s->key);
		free(s->value);
		free(s);
	}
}

int
policy_listener(struct map *policies, struct slice key, struct slice value)
{
	size_t		 n = strlen(POLICY_LISTENER);
	struct slice	 label = slice_of(key.data + n, key.len - n), line;
	const char	*space, *end;
	struct policy	*p;
	int		 r;

	if ((p = policy_find(policies, label)) == NULL &&
	    (p = policy_new(policies, label)) == NULL)
		return (-1);
	policy_settings_clear(p);
	while (value.len > 0) {
		end = memchr(value.data, '\n', value.len);
		n = end == NULL ? value.len : (size_t)(end - value.data);
		line = slice_of(value.data, n);
		n += end != NULL;
		value = slice_of(value.data + n, value.len - n);
		if ((space = memchr(line.data, ' ', line.len)) == NULL)
			continue;
		n = (size_t)(space - line.data);
		key = slice_of(line.data, n);
		line = slice_of(space + 1, line.len - n - 1);
		r = policy_key(key) != NULL ? policy_set(p, key, line) :
		    policy_setting_put(p, key, line);
		if (r == -1 && errno != EINVAL)
			return (-1);
	}
	return (0);
}

void
policies_clear(struct map *policies)
{
	struct map_node	*n;
	struct policy	*p;

	while ((n = map_first(policies)) != NULL) {
		p = container_of(n, struct policy, by_label);
		map_remove(policies, n);
		policy_settings_clear(p);
		free(p->label);
		free(p->paths);
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

uint32_t
meter_out_max(const struct meter *m)
{
	return (m == NULL ? 0 : m->policy->allows.out_max);
}

uint32_t
meter_message_max(const struct meter *m)
{
	return (m == NULL ? 0 : m->policy->allows.message_max);
}

const char *
meter_setting(const struct meter *m, const char *key)
{
	struct policy_setting	*s;

	s = m == NULL ? NULL : policy_setting_find(m->policy, slice_str(key));
	return (s == NULL || s->value[0] == '\0' ? NULL : s->value);
}
