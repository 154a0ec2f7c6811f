/* Who was lost with dead shards, read from the log in Redis. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/redis.h"
#include "gatewayd/obituary.h"
#include "proto/control.h"
#include "proto/keys.h"
#include "proto/limits.h"
#include "proto/uids.h"

#define OBITUARY_COMMAND_MS	2000
#define OBITUARY_ID		48	/* of an entry of a log, as text */
#define OBITUARY_STEP		8	/* entries at a time */
#define OBITUARY_STEP_TEXT	"8"
#define OBITUARY_MAX		1000	/* uids in one of them */

/*
 * KEYS: the log.  ARGV: up to which entry all was told (empty: nobody was here yet), and
 * which was the last then; how many at most.  First the last one now, then of each entry
 * its id, address, whether it names any, and the keys of those who are not back.
 */
static const char	 obituary_script[] =
	"local last = '0-0'\n"
	"local e = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)\n"
	"if e[1] then last = e[1][1] end\n"
	"local function ms(id) return tonumber(string.match(id, '%d+')) end\n"
	"local from, upto, all = ARGV[1], ARGV[2], {last}\n"
	"if from == '' then return all end\n"
	"if e[1] and ms(last) < ms(from) then from, upto = '0-0', last end\n"
	"if from == upto then return all end\n"
	"for _, x in ipairs(redis.call('XRANGE', KEYS[1], from, upto,\n"
	"    'COUNT', ARGV[3] + 1)) do\n"
	"  if x[1] ~= from then\n"
	"    local f, o = x[2], {x[1], x[2][2], #x[2] > 2 and '1' or '0'}\n"
	"    for i = 4, #f, 2 do\n"
	"      if redis.call('EXISTS', f[i]) == 0 then o[#o + 1] = f[i] end\n"
	"    end\n"
	"    all[#all + 1] = o\n"
	"  end\n"
	"end\n"
	"return all\n";

struct obituaries {
	struct redis	*redis;
	const char	*prefix;
	char		*log;
	void		(*said)(const struct obituary *, void *);
	void		*arg;
	int		 asking;
	char		 told[OBITUARY_ID], last[OBITUARY_ID];
};

/* Somebody who was lost. */
struct obituary_one {
	struct slice	 group, uid;
};

struct obituaries *
obituaries_new(struct redis *redis, const char *prefix,
    void (*said)(const struct obituary *, void *), void *arg)
{
	struct obituaries	*os;

	if ((os = calloc(1, sizeof(*os))) == NULL)
		return (NULL);
	os->redis = redis;
	os->prefix = prefix;
	os->said = said;
	os->arg = arg;
	if ((os->log = keys_lost(prefix)) == NULL) {
		free(os);
		errno = ENOMEM;
		return (NULL);
	}
	return (os);
}

void
obituaries_free(struct obituaries *os)
{
	if (os == NULL)
		return;
	free(os->log);
	free(os);
}

/* By group. */
static int
obituary_compare(const void *a, const void *b)
{
	const struct slice	*x = &((const struct obituary_one *)a)->group;
	const struct slice	*y = &((const struct obituary_one *)b)->group;
	size_t			 n = x->len < y->len ? x->len : y->len;
	int			 d = n == 0 ? 0 : memcmp(x->data, y->data, n);

	return (d != 0 ? d : (x->len > y->len) - (x->len < y->len));
}

/* Say those, who are of one group, in pieces. */
static void
obituary_say(struct obituaries *os, struct slice address,
    const struct obituary_one *at, size_t n)
{
	struct obituary	 o = { .address = address, .group = at->group };
	struct buf	 uids = { 0 };
	struct slice	 left;

	for (size_t i = 0; i < n; i++)
		uids_add(&uids, at[i].uid);
	if (uids.failed)
		log_warn("obituary n=%zu not told: no memory", n);
	left = slice_of(uids.data, uids.failed ? 0 : uids.len);
	while (left.len > 0) {
		o.uids = uids_cut(&left, CTL_TEXT_MAX, CTL_LOST_MAX);
		os->said(&o, os->arg);
	}
	buf_clear(&uids);
}

/* One entry of the log; names is for what its keys name. */
static void
obituary_read(struct obituaries *os, const struct redis_value *v, char *names)
{
	static struct obituary_one	 all[OBITUARY_MAX];
	struct redis_value	 one = redis_at(v, 1), more = redis_at(v, 2);
	struct slice		 address = slice_of(one.str, one.len);
	size_t			 n = 0, first = 0;

	if (one.kind != REDIS_STRING || more.kind != REDIS_STRING)
		return;
	for (size_t i = 3; i < v->n && n < nitems(all); i++) {
		one = redis_at(v, i);
		if (one.kind != REDIS_STRING || keys_client_parse(os->prefix,
		    slice_of(one.str, one.len), names, &all[n].group,
		    &all[n].uid) == -1)
			continue;
		names += all[n].group.len + all[n].uid.len;
		n++;
	}
	qsort(all, n, sizeof(all[0]), obituary_compare);
	for (size_t i = 1; i <= n; i++)
		if (i == n || obituary_compare(&all[i], &all[first]) != 0) {
			obituary_say(os, address, &all[first], i - first);
			first = i;
		}
	if (more.str[0] == '0')
		os->said(&(struct obituary){ .address = address }, os->arg);
}

/* Take the id of an entry: 0, or -1, it is none. */
static int
obituary_id(char id[OBITUARY_ID], const struct redis_value *v)
{
	if (v->kind != REDIS_STRING || v->len >= OBITUARY_ID)
		return (-1);
	memcpy(id, v->str, v->len);
	id[v->len] = '\0';
	return (0);
}

/* Bytes that the keys of an entry take. */
static size_t
obituary_size(const struct redis_value *v)
{
	size_t	 len = 1;

	for (size_t i = 3; i < v->n; i++)
		len += redis_at(v, i).len;
	return (len);
}

/* Redis has answered. */
static void
obituaries_cb(const struct redis_value *v, int err, void *arg)
{
	struct obituaries	*os = arg;
	struct redis_value	 one, id;
	char			*names;

	if (err == ECANCELED)
		return;
	os->asking = 0;
	if (err != 0 || v->kind != REDIS_ARRAY || v->n == 0)
		return;
	for (size_t i = 1; i < v->n; i++) {
		one = redis_at(v, i);
		if (one.kind != REDIS_ARRAY || one.n < 3)
			return;
		id = redis_at(&one, 0);
		if ((names = malloc(obituary_size(&one))) == NULL ||
		    obituary_id(os->told, &id) == -1) {
			free(names);
			return;
		}
		obituary_read(os, &one, names);
		free(names);
	}
	if (v->n > OBITUARY_STEP) {
		obituaries_tick(os);
		return;
	}
	one = redis_at(v, 0);
	strcpy(os->told, os->last);
	obituary_id(os->last, &one);
	if (os->told[0] == '\0')
		strcpy(os->told, os->last);
}

void
obituaries_tick(struct obituaries *os)
{
	if (!os->asking && redis_up(os->redis) && redis_do(os->redis,
	    OBITUARY_COMMAND_MS, obituaries_cb, os, "EVAL", obituary_script,
	    "1", os->log, os->told, os->last, OBITUARY_STEP_TEXT,
	    NULL) == 0)
		os->asking = 1;
}
