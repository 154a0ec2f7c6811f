/* One HTTP request: what of it the application may keep until it has answered. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/spare.h"
#include "shardd/client/conn.h"
#include "shardd/client/policy.h"
#include "shardd/client/request.h"
#include "shardd/client/spool.h"
#include "shardd/client/who.h"
#include "shardd/kennel.h"
#include "shardd/options.h"

/* Bytes of a request with these texts. */
static size_t
request_size(struct slice uid, struct slice group, struct slice peer)
{
	return (sizeof(struct kennel_request) + uid.len + group.len + peer.len +
	    3);
}

/* Copy s, terminated, to *at. */
static struct slice
request_put(char **at, struct slice s)
{
	struct slice	 copy = { *at, s.len };

	if (s.len > 0)
		memcpy(*at, s.data, s.len);
	(*at)[s.len] = '\0';
	*at += s.len + 1;
	return (copy);
}

struct kennel_request *
request_new(struct conn *c, struct slice group, uint64_t replica)
{
	struct kennel_request	*q;
	struct slice		 uid = conn_uid(c);
	struct slice		 peer = slice_str(who_peer(c));
	char			*at;

	if ((q = spare_get(request_size(uid, group, peer))) == NULL)
		return (NULL);
	memset(q, 0, offsetof(struct kennel_request, h.headers));
	q->conn = c;
	q->app = c->app;
	q->told = c->told;
	q->route = c->meter == NULL ? NULL : c->meter->policy;
	q->replica = replica;
	at = q->text;
	q->uid = request_put(&at, uid);
	q->group = request_put(&at, group);
	q->peer = request_put(&at, peer);
	return (q);
}

const char *
request_text(struct kennel_request *q, struct slice s)
{
	struct request_text	*t;

	if (q == NULL || (t = malloc(sizeof(*t) + s.len + 1)) == NULL)
		return (NULL);
	if (s.len > 0)
		memcpy(t->s, s.data, s.len);
	t->s[s.len] = '\0';
	t->next = q->texts;
	q->texts = t;
	return (t->s);
}

/* Append what is in memory of the body to its file, made if need be. */
static int
request_spool_add(struct kennel_request *q, const struct options *o)
{
	if (q->spool == NULL &&
	    (q->spool = spool_new(options_get(o, "spool"))) == NULL)
		return (-1);
	return (spool_add(q->spool, slice_of(q->body.data, q->body.len),
	    o->spool_max));
}

int
request_spool(struct kennel_request *q, const struct options *o)
{
	if (q->body.len == 0 || (q->spool == NULL &&
	    q->body.len <= o->body_memory))
		return (0);
	if (request_spool_add(q, o) == 0) {
		buf_reset(&q->body);
		return (0);
	}
	log_warn("conn id=%llx app=%s body refused: %s, all hold bytes=%llu",
	    (unsigned long long)q->conn->id,
	    q->app->name == NULL ? "" : q->app->name,
	    errno == EDQUOT ? "spool_max is reached" : strerror(errno),
	    (unsigned long long)spool_sum());
	spool_free(q->spool);
	q->spool = NULL;
	return (-1);
}

struct slice
request_said(const struct kennel_request *q, const char *name)
{
	const char	*at = q->extra.data, *end;
	size_t		 left = q->extra.len, n = strlen(name), line;

	while (left > 0 && (end = memchr(at, '\n', left)) != NULL) {
		line = (size_t)(end - at) + 1;
		if (line > n && at[n] == ':' && strncasecmp(at, name, n) == 0)
			return (slice_trim(slice_of(at + n + 1,
			    line - n - 3)));
		at += line;
		left -= line;
	}
	return (slice_of(NULL, 0));
}

void
request_free(struct kennel_request *q)
{
	struct request_text	*t;

	while ((t = q->texts) != NULL) {
		q->texts = t->next;
		free(t);
	}
	buf_clear(&q->bytes);
	buf_clear(&q->body);
	spool_free(q->spool);
	buf_clear(&q->extra);
	spare_put(q, request_size(q->uid, q->group, q->peer));
}
