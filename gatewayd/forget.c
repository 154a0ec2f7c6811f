/* kennelctl room rm: what a group has kept in Redis is removed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/list.h"
#include "common/log.h"
#include "common/redis.h"
#include "gatewayd/forget.h"
#include "gatewayd/placement.h"
#include "gatewayd/routes.h"
#include "gatewayd/serving.h"
#include "gatewayd/settings.h"
#include "proto/channel.h"
#include "proto/keys.h"

#define FORGET_MS	5000
#define FORGET_APPS	64		/* applications that routes may name */
#define FORGET_ARGS	5		/* before their names */

/*
 * KEYS: the set of shards that serve the group, its epoch.  ARGV: what the state's
 * keys begin with, for each application.  -1: the group is open somewhere.
 */
static const char	 forget_script[] =
    "if redis.call('SCARD', KEYS[1]) > 0 then return -1 end\n"
    "local n = 0\n"
    "local function drop(set, prefix)\n"
    "  if redis.call('TYPE', set).ok == 'set' then\n"
    "    for _, m in ipairs(redis.call('SMEMBERS', set)) do\n"
    "      n = n + redis.call('DEL', prefix .. m)\n"
    "    end\n"
    "  end\n"
    "  n = n + redis.call('DEL', set)\n"
    "end\n"
    "for _, base in ipairs(ARGV) do\n"
    "  n = n + redis.call('DEL', base, base .. ':.log')\n"
    "  drop(base .. ':.maps', base .. ':')\n"
    "  drop(base .. ':.new', base .. ':.new:')\n"
    "end\n"
    "return n + redis.call('DEL', KEYS[2])\n";

struct forget {
	struct list	 at;		/* as long as Redis is asked */
	struct forgets	*all;
	struct control	*c;		/* NULL: has ended */
	uint64_t	 id;		/* of the question */
	struct slice	 group;		/* in name */
	char		 name[];
};

struct forgets {
	const struct settings *settings;
	struct placement *placement;
	struct list	 list;
};

struct forgets *
forgets_new(const struct settings *settings, struct placement *placement)
{
	struct forgets	*fs;

	if ((fs = calloc(1, sizeof(*fs))) == NULL)
		return (NULL);
	fs->settings = settings;
	fs->placement = placement;
	list_init(&fs->list);
	return (fs);
}

void
forgets_free(struct forgets *fs)
{
	free(fs);
}

/* ---- answers ---- */

/* Answer with a JSON object, which is freed. */
static int
forget_tell(struct control *c, uint64_t id, json_t *answer)
{
	struct ctl	 m = { .type = CTL_STATUS, .id = id };
	char		*text = json_dumps(answer, JSON_COMPACT);
	int		 rv = -1;

	json_decref(answer);
	if (text != NULL) {
		m.text = slice_str(text);
		rv = control_send(c, &m, NULL);
	}
	free(text);
	return (rv);
}

/* Answer that it cannot be done. */
static int
forget_refuse(struct control *c, uint64_t id, const char *why)
{
	return (forget_tell(c, id, json_pack("{s:s}", "error", why)));
}

/* ---- the group ---- */

/* Connections of the open groups of this name, of whatever application. */
static size_t
forget_open(const struct forgets *fs, struct slice name)
{
	const struct list	*groups = placement_groups(fs->placement);
	const struct group	*group;
	const struct replica	*r;
	size_t			 n = 0;

	for (struct list *e = groups->next; e != groups; e = e->next) {
		group = list_entry(e, struct group, at);
		if (group->name_len != name.len ||
		    memcmp(group->name, name.data, name.len) != 0)
			continue;
		for (struct list *i = group->replicas.next;
		    i != &group->replicas; i = i->next) {
			r = list_entry(i, struct replica, at);
			n += r->count + r->over;
		}
		n += n == 0;		/* it is about to end */
	}
	return (n);
}

/* Answer that the group has n connections. */
static int
forget_refuse_open(struct control *c, uint64_t id, size_t n)
{
	char	 why[128];

	snprintf(why, sizeof(why), "it is open: %zu connection%s; a room can "
	    "be removed when all have left", n, n == 1 ? "" : "s");
	return (forget_refuse(c, id, why));
}

/* Redis has answered: so is the question, and f has ended. */
static void
forget_cb(const struct redis_value *v, int err, void *arg)
{
	struct forget	*f = arg;
	char		 text[256];
	size_t		 n;

	list_remove(&f->at);
	if (f->c == NULL)
		;
	else if (err != 0)
		forget_refuse(f->c, f->id, "Redis does not answer; try again "
		    "later");
	else if (v->kind != REDIS_INTEGER)
		forget_refuse(f->c, f->id, log_escape(text, sizeof(text),
		    v->str == NULL ? "" : v->str, v->len));
	else if (v->integer < 0)
		forget_refuse(f->c, f->id, "it is open on another machine, or "
		    "was until now; a room can be removed when all have left");
	else if ((n = forget_open(f->all, f->group)) > 0)
		forget_refuse_open(f->c, f->id, n);
	else
		forget_tell(f->c, f->id, json_pack("{s:I}", "removed",
		    (json_int_t)v->integer));
	if (err == 0 && v->kind == REDIS_INTEGER && v->integer > 0)
		log_info("group removed keys=%lld", (long long)v->integer);
	free(f);
}

/* ---- asking ---- */

struct forget_args {
	const struct forget *f;
	char		*at[FORGET_ARGS + FORGET_APPS];
	size_t		 len[FORGET_ARGS + FORGET_APPS];
	size_t		 n;
	int		 failed;
};

/* Add an argument, which is taken, to the command. */
static void
forget_arg(struct forget_args *a, char *s)
{
	if (s == NULL || a->n == nitems(a->at)) {
		a->failed = 1;
		free(s);
		return;
	}
	a->len[a->n] = strlen(s);
	a->at[a->n++] = s;
}

/* Add what the keys of an application's state begin with. */
static void
forget_app_cb(const char *app, void *arg)
{
	struct forget_args	*a = arg;

	forget_arg(a, keys_store(a->f->all->settings->redis_prefix, a->f->group,
	    slice_str(app)));
}

/* 0, or -1: Redis cannot be asked. */
static int
forget_ask(struct forget *f, struct redis *redis)
{
	const char		*prefix = f->all->settings->redis_prefix;
	struct forget_args	 a = { .f = f };
	int			 rv = -1;

	forget_arg(&a, strdup("EVAL"));
	forget_arg(&a, strdup(forget_script));
	forget_arg(&a, strdup("2"));
	forget_arg(&a, keys_group(prefix, f->group));
	forget_arg(&a, keys_epoch(prefix, f->group));
	serving_apps(f->all->settings, forget_app_cb, &a);
	if (!a.failed)
		rv = redis_command(redis, FORGET_MS,
		    forget_cb, f, (int)a.n, (const char *const *)a.at, a.len);
	for (size_t i = 0; i < a.n; i++)
		free(a.at[i]);
	return (rv);
}

int
forget_begin(struct forgets *fs, struct control *c, const struct ctl *ask,
    struct redis *redis)
{
	struct list	*l, *tmp;
	struct forget	*f;
	size_t		 n;

	list_each(l, tmp, &fs->list)
		if (list_entry(l, struct forget, at)->c == c)
			return (-1);
	if ((n = forget_open(fs, ask->group)) > 0)
		return (forget_refuse_open(c, ask->id, n));
	if (redis == NULL)
		return (forget_refuse(c, ask->id, "nothing is kept: there is "
		    "no Redis"));
	if ((f = calloc(1, sizeof(*f) + ask->group.len + 1)) == NULL)
		return (-1);
	f->all = fs;
	f->c = c;
	list_push(&fs->list, &f->at);
	f->id = ask->id;
	if (ask->group.len > 0)
		memcpy(f->name, ask->group.data, ask->group.len);
	f->group = slice_of(f->name, ask->group.len);
	if (forget_ask(f, redis) == 0)
		return (0);
	list_remove(&f->at);
	free(f);
	return (forget_refuse(c, ask->id, "Redis cannot be asked; try again "
	    "later"));
}

void
forget_cancel(struct forgets *fs, const struct control *c)
{
	struct list	*l, *tmp;
	struct forget	*f;

	list_each(l, tmp, &fs->list) {
		f = list_entry(l, struct forget, at);
		if (f->c == c)
			f->c = NULL;
	}
}
