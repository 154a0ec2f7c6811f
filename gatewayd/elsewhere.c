/* Where a uid has connections on other nodes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/redis.h"
#include "gatewayd/elsewhere.h"
#include "gatewayd/settings.h"
#include "gatewayd/status.h"
#include "proto/control.h"
#include "proto/keys.h"

#define ELSEWHERE_STEP_MS	2000
#define ELSEWHERE_MS		5000	/* in all */
#define ELSEWHERE_MAX		256	/* that are listed */
#define ELSEWHERE_STEP		"1000"	/* keys, of whatever kind */

/* ARGV: cursor, pattern, keys a step.  The next cursor; then each key and its fields. */
static const char	 elsewhere_script[] =
	"local r = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT',\n"
	"    ARGV[3])\n"
	"local all = {r[1]}\n"
	"for _, k in ipairs(r[2]) do\n"
	"  if redis.call('TYPE', k).ok == 'hash' then\n"
	"    all[#all + 1] = {k, redis.call('HGETALL', k)}\n"
	"  end\n"
	"end\n"
	"return all\n";

struct elsewhere {
	struct list	 at;
	struct elsewheres *all;
	struct control	*c;		/* NULL: has ended */
	struct redis	*redis;
	uint64_t	 id;		/* of the question */
	uint64_t	 until;		/* clock_ms */
	json_t		*answer, *list;
	char		 cursor[REDIS_CURSOR];
	char		*pattern;
};

struct elsewheres {
	const struct settings *settings;
	struct list	 list;
};

static void	 elsewhere_cb(const struct redis_value *, int, void *);

struct elsewheres *
elsewheres_new(const struct settings *settings)
{
	struct elsewheres	*es;

	if ((es = calloc(1, sizeof(*es))) == NULL)
		return (NULL);
	es->settings = settings;
	list_init(&es->list);
	return (es);
}

/* e is over. */
static void
elsewhere_free(struct elsewhere *e)
{
	list_remove(&e->at);
	json_decref(e->answer);
	free(e->pattern);
	free(e);
}

void
elsewheres_free(struct elsewheres *es)
{
	struct list	*l, *tmp;

	if (es == NULL)
		return;
	list_each(l, tmp, &es->list)
		elsewhere_free(list_entry(l, struct elsewhere, at));
	free(es);
}

/* All is known that will be. */
static void
elsewhere_answer(struct elsewhere *e, int missing)
{
	json_object_set_new(e->answer, "elsewhere_missing",
	    json_boolean(missing));
	if (e->c != NULL)
		(void)status_send(e->c, e->id, json_incref(e->answer));
	elsewhere_free(e);
}

/* The next step.  0, or -1: Redis cannot be asked. */
static int
elsewhere_step(struct elsewhere *e)
{
	return (redis_do(e->redis, ELSEWHERE_STEP_MS, elsewhere_cb, e, "EVAL",
	    elsewhere_script, "0", e->cursor, e->pattern, ELSEWHERE_STEP,
	    NULL));
}

/* Is that already listed?  A key may come twice. */
static int
elsewhere_has(const struct elsewhere *e, struct slice address,
    struct slice group)
{
	const json_t	*one, *g, *s;
	size_t		 i;

	json_array_foreach(e->list, i, one) {
		g = json_object_get(one, "group");
		s = json_object_get(one, "shard");
		if (json_string_length(g) == group.len &&
		    memcmp(json_string_value(g), group.data, group.len) == 0 &&
		    slice_is(address, json_string_value(s)))
			return (1);
	}
	return (0);
}

/* Text as JSON has it, which is UTF-8. */
static json_t *
elsewhere_text(struct slice s)
{
	json_t	*text = json_stringn(s.data, s.len);

	return (text != NULL ? text : json_string("(not UTF-8)"));
}

/* One key of the uid: the shards of other nodes. */
static void
elsewhere_key(struct elsewhere *e, struct slice key,
    const struct redis_value *fields)
{
	const struct settings	*s = e->all->settings;
	struct redis_value	 field, count;
	struct slice		 group, uid, address;
	uint64_t		 incarnation;
	uint32_t		 slot;
	size_t			 len;
	char			*names;

	if ((names = malloc(key.len + 1)) == NULL)
		return;
	if (keys_client_parse(s->redis_prefix, key, names, &group, &uid) == -1) {
		free(names);
		return;
	}
	for (size_t i = 0; i + 1 < fields->n &&
	    json_array_size(e->list) < ELSEWHERE_MAX; i += 2) {
		field = redis_at(fields, i);
		count = redis_at(fields, i + 1);
		address = slice_of(field.str, field.len);
		if (field.kind != REDIS_STRING || count.kind != REDIS_STRING ||
		    keys_address_parse(address, &len, &slot,
		    &incarnation) == -1 ||
		    slice_is(slice_of(address.data, len), s->node) ||
		    elsewhere_has(e, address, group))
			continue;
		json_array_append_new(e->list, json_pack(
		    "{s:o, s:o, s:I, s:o, s:I}",
		    "node", elsewhere_text(slice_of(address.data, len)),
		    "shard", elsewhere_text(address),
		    "slot", (json_int_t)slot,
		    "group", elsewhere_text(group),
		    "connections", (json_int_t)strtoll(count.str, NULL, 10)));
	}
	free(names);
}

/* A step is done. */
static void
elsewhere_cb(const struct redis_value *v, int err, void *arg)
{
	struct elsewhere	*e = arg;
	struct redis_value	 one, key, fields;

	if (err != 0 || v->kind != REDIS_ARRAY || v->n == 0) {
		elsewhere_answer(e, 1);
		return;
	}
	for (size_t i = 1; i < v->n; i++) {
		one = redis_at(v, i);
		if (one.kind != REDIS_ARRAY || one.n != 2)
			continue;
		key = redis_at(&one, 0);
		fields = redis_at(&one, 1);
		if (key.kind == REDIS_STRING && fields.kind == REDIS_ARRAY)
			elsewhere_key(e, slice_of(key.str, key.len), &fields);
	}
	one = redis_at(v, 0);
	if (one.kind != REDIS_STRING || one.len >= sizeof(e->cursor)) {
		elsewhere_answer(e, 1);
		return;
	}
	memcpy(e->cursor, one.str, one.len + 1);
	if (strcmp(e->cursor, "0") == 0)
		elsewhere_answer(e, 0);
	else if (e->c == NULL || clock_ms() >= e->until ||
	    json_array_size(e->list) >= ELSEWHERE_MAX || elsewhere_step(e) == -1)
		elsewhere_answer(e, 1);
}

/* What keys of uid look like, in whatever group; malloc'd. */
static char *
elsewhere_pattern(const char *prefix, struct slice uid)
{
	struct buf	 name = { 0 }, b = { 0 };

	keys_name(&name, uid);
	buf_addf(&b, "%sclient:*:", prefix);
	for (size_t i = 0; i < name.len; i++) {
		if (strchr("*?[]\\", name.data[i]) != NULL)
			buf_add(&b, "\\", 1);
		buf_add(&b, &name.data[i], 1);
	}
	buf_add(&b, "", 1);
	if (name.failed || b.failed)
		buf_clear(&b);
	buf_clear(&name);
	return (b.data);
}

int
elsewhere_begin(struct elsewheres *es, struct control *c,
    const struct ctl *ask, struct json_t *answer, struct redis *redis)
{
	struct elsewhere	*e;

	if (answer == NULL || (e = calloc(1, sizeof(*e))) == NULL) {
		json_decref(answer);
		return (-1);
	}
	list_push(&es->list, &e->at);
	e->all = es;
	e->c = c;
	e->redis = redis;
	e->id = ask->id;
	e->until = clock_ms() + ELSEWHERE_MS;
	e->answer = answer;
	e->list = json_array();
	json_object_set_new(answer, "elsewhere", e->list);
	strcpy(e->cursor, "0");
	e->pattern = elsewhere_pattern(es->settings->redis_prefix, ask->uid);
	if (e->pattern == NULL || elsewhere_step(e) == -1)
		elsewhere_answer(e, 1);
	return (0);
}

void
elsewhere_cancel(struct elsewheres *es, const struct control *c)
{
	struct list	*l, *tmp;
	struct elsewhere *e;

	list_each(l, tmp, &es->list) {
		e = list_entry(l, struct elsewhere, at);
		if (e->c == c)
			e->c = NULL;
	}
}
