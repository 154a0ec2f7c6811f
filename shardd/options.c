/* What the gateway's configuration says to workers: numbers, and all as text. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/options.h"

/* One key of the configuration, as the gateway said it. */
struct options_text {
	struct map_node	 by_key;
	char		*key, *value;
};

/* A text that another gateway has replaced: who was given it may have it still. */
struct options_old {
	struct options_old *next;
	char		*value;
};

static const struct options options_defaults = {
	.message_max = 16 << 20,
	.body_max = 1 << 20,
	.body_memory = 16 << 20,
	.spool_max = 256 << 20,
	.out_max = 1 << 20,
	.unfinished_max = 64 << 20,
	.request_ms = 30000,
	.closing_ms = 5000,
	.ping_ms = 30000,
	.drain_ms = 10000,
	.come_back_ms = 5000,
	.orphan_ms = 60000,
	.whisper_ask = 8,
	.store_max = 16 << 20,
	.store_visit_ttl = 86400,
	.io_uring = 1,
	.turn_ms = 10,
	.work_threads = 4,
	.work_queue = 1000,
};

/* Options that are numbers of ours. */
static const struct {
	const char	*key;
	size_t		 offset;
	int		 is_size;
} options_numbers[] = {
#define OPTIONS_SIZE(f)	{ #f, offsetof(struct options, f), 1 }
#define OPTIONS_UINT(f)	{ #f, offsetof(struct options, f), 0 }
	OPTIONS_SIZE(message_max), OPTIONS_SIZE(body_max), OPTIONS_SIZE(out_max),
	OPTIONS_SIZE(body_memory), OPTIONS_SIZE(spool_max),
	OPTIONS_SIZE(unfinished_max),
	OPTIONS_UINT(request_ms), OPTIONS_UINT(closing_ms),
	OPTIONS_UINT(ping_ms), OPTIONS_UINT(drain_ms), OPTIONS_UINT(whisper_ask),
	OPTIONS_UINT(deflate), OPTIONS_SIZE(store_max), OPTIONS_UINT(io_uring),
	OPTIONS_UINT(turn_ms), OPTIONS_UINT(orphan_ms),
	OPTIONS_UINT(come_back_ms),
	OPTIONS_UINT(store_ttl), OPTIONS_UINT(store_replicas),
	OPTIONS_UINT(store_visit_ttl),
	OPTIONS_UINT(work_threads), OPTIONS_UINT(work_queue),
};

void
options_init(struct options *o)
{
	*o = options_defaults;
}

/* The text of a key, or NULL. */
static struct options_text *
options_find(const struct options *all, struct slice key)
{
	struct map_node	*n = map_find(&all->texts, key.data, key.len);

	return (n == NULL ? NULL :
	    container_of(n, struct options_text, by_key));
}

const char *
options_get(const struct options *all, const char *key)
{
	struct options_text	*o = options_find(all, slice_str(key));

	return (o == NULL ? NULL : o->value);
}

/* If key is a number of ours, and value is one: set it. */
static void
options_number_set(struct options *all, struct slice key, struct slice value)
{
	uint64_t	 n;

	for (size_t i = 0; i < nitems(options_numbers); i++) {
		void	*at = (char *)all + options_numbers[i].offset;

		if (!slice_is(key, options_numbers[i].key) ||
		    slice_u64(value, options_numbers[i].is_size ? SIZE_MAX :
		    UINT32_MAX, &n) == -1)
			continue;
		if (options_numbers[i].is_size)
			*(size_t *)at = (size_t)n;
		else
			*(unsigned *)at = (unsigned)n;
	}
}

/* Another text for o, which takes it; the one that it had is kept: 0, or -1 with errno. */
static int
options_replace(struct options *all, struct options_text *o, char *value)
{
	struct options_old	*old;

	if ((old = calloc(1, sizeof(*old))) == NULL) {
		free(value);
		return (-1);
	}
	old->value = o->value;
	old->next = all->old;
	all->old = old;
	o->value = value;
	return (0);
}

int
options_set(struct options *all, struct slice key, struct slice value)
{
	struct options_text	*o = options_find(all, key);
	char			*copy;

	if (o != NULL && slice_is(value, o->value))
		return (0);
	if ((copy = slice_dup(value)) == NULL)
		return (-1);
	options_number_set(all, key, value);
	if (o != NULL)
		return (options_replace(all, o, copy));
	if ((o = calloc(1, sizeof(*o))) == NULL ||
	    (o->key = slice_dup(key)) == NULL ||
	    map_insert(&all->texts, &o->by_key, o->key, key.len) == -1) {
		if (o != NULL)
			free(o->key);
		free(o);
		free(copy);
		return (-1);
	}
	o->value = copy;
	return (0);
}

void
options_clear(struct options *all)
{
	struct map_node		*n;
	struct options_text	*o;
	struct options_old	*old;

	while ((old = all->old) != NULL) {
		all->old = old->next;
		free(old->value);
		free(old);
	}
	while ((n = map_first(&all->texts)) != NULL) {
		o = container_of(n, struct options_text, by_key);
		map_remove(&all->texts, n);
		free(o->key);
		free(o->value);
		free(o);
	}
	map_clear(&all->texts);
}
