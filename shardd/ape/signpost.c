/* What servers tell each other of files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "shardd/ape/share.h"
#include "shardd/ape/signpost.h"
#include "shardd/kennel.h"

#define SIGNPOST_BEAT_MS	40000	/* a third of a fact's life */
#define SIGNPOST_WAIT_MS	2000	/* for the first connection */

static struct {
	const struct forest_adapter *adapter;	/* NULL: it stands nowhere */
	void		*self;
	const char	*server;
	struct kennel_timer *beat;
	int		 up;
	int		 late;		/* it was not up in time */
	struct list	 waiting;	/* struct signpost_ask */
	struct kennel_timer *patience;
	int		 own;		/* in the cluster's Redis; we have joined it */
	int		 opened;
	struct forest_site site;	/* its */
	char		*ns;
} signpost = { .waiting = { &signpost.waiting, &signpost.waiting } };

/* A question on its way, or while nobody knows yet whether there is one. */
struct signpost_ask {
	struct list	 at;
	char		*fact;
	signpost_cb	*cb;
	void		*arg;
	char		 server[SIGNPOST_SERVER + 1];
};

/* Is it a name that can stand in a path, and is no longer than one may be? */
static int
signpost_is_name(const char *s)
{
	size_t	 n = strlen(s);

	return (n > 0 && n <= SIGNPOST_SERVER && strspn(s,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "._-") == n);
}

static void	 signpost_ask(struct signpost_ask *);

/* ---- where it stands ---- */

/* It is up, or was not in time: ask what waits. */
static void
signpost_go_on(void *arg)
{
	struct signpost_ask	*a;

	(void)arg;
	signpost.late = 1;
	kennel_timer_free(signpost.patience);
	signpost.patience = NULL;
	while (!list_empty(&signpost.waiting)) {
		a = list_entry(signpost.waiting.next, struct signpost_ask, at);
		list_remove(&a->at);
		signpost_ask(a);
	}
}

/* Tell where we are. */
static void
signpost_beat_cb(void *arg)
{
	const char	*where = kennel_option("ape_address");
	char		 name[SIGNPOST_SERVER + 4];

	(void)arg;
	if (!signpost.up || where == NULL || !signpost_is_name(signpost.server))
		return;
	snprintf(name, sizeof(name), "at:%s", signpost.server);
	signpost.adapter->facts.tell(signpost.self, name, where, 0);
}

/* Say to whom that matters whether files travel. */
static void
signpost_say(void)
{
	if (kennel_option(SIGNPOST_KEY) == NULL)
		kennel_log("forest files stay here: neither [ape] key_file nor "
		    "cluster_key_file is set");
	else if (signpost_here() == NULL)
		kennel_log("forest files are fetched from other servers, and "
		    "stay here: no other reaches our admin listener");
	else
		kennel_log("forest files travel server=%s at=%s",
		    signpost.server, kennel_option("ape_address"));
}

void
signpost_up(int up)
{
	int	 was = signpost.up;

	signpost.up = up && signpost.adapter != NULL;
	if (!signpost.up)
		return;
	if (!was)
		signpost_say();
	signpost_beat_cb(NULL);
	share_each(signpost_tell);
	signpost_go_on(NULL);
}

void
signpost_use(const struct forest_adapter *a, void *self, const char *server)
{
	signpost.up = 0;
	signpost.adapter = a != NULL && a->facts.tell != NULL ? a : NULL;
	signpost.self = self;
	signpost.server = server;
	if (signpost.adapter == NULL) {
		kennel_timer_free(signpost.beat);
		signpost.beat = NULL;
	} else if (signpost.beat == NULL)
		signpost.beat = kennel_timer_new(SIGNPOST_BEAT_MS, 1,
		    signpost_beat_cb, NULL);
}

/* The cluster's Redis has come, or has gone. */
static void
signpost_state_cb(int up, void *arg)
{
	(void)arg;
	signpost_up(up);
}

void
signpost_open(void)
{
	const char	*prefix = kennel_option("redis_prefix");
	void		*self;

	if (signpost.opened)
		return;
	signpost.opened = 1;
	if (signpost.adapter != NULL || (kennel_option("ape_namespace") != NULL &&
	    (kennel_option("ape_forest") == NULL || strcmp(kennel_option(
	    "ape_forest"), "none") != 0)) ||
	    kennel_option("cluster") == NULL || kennel_option(SIGNPOST_KEY) ==
	    NULL || asprintf(&signpost.ns, "%sape", prefix == NULL ? "" :
	    prefix) == -1)
		return;
	signpost.site.where = kennel_option("redis");
	signpost.site.ns = signpost.ns;
	signpost.site.server_id = kennel_node();
	self = forest_redis.join(&signpost.site, signpost_state_cb, NULL);
	if (self == NULL) {
		free(signpost.ns);
		signpost.ns = NULL;
		return;
	}
	signpost.own = 1;
	signpost_use(&forest_redis, self, signpost.site.server_id);
}

void
signpost_close(void)
{
	void	*self = signpost.self;

	signpost_use(NULL, NULL, NULL);
	signpost_go_on(NULL);
	if (signpost.own)
		forest_redis.leave(self);
	signpost.own = 0;
	free(signpost.ns);
	signpost.ns = NULL;
}

const char *
signpost_here(void)
{
	return (signpost.adapter != NULL && kennel_option("ape_address") !=
	    NULL && signpost_is_name(signpost.server) ? signpost.server : NULL);
}

int
signpost_decides(void)
{
	return (signpost.own && signpost.up);
}

/* ---- telling and asking ---- */

void
signpost_tell(const char *id)
{
	char	 name[SHARE_ID_MAX + 6];

	if (!signpost.up || strlen(id) > SHARE_ID_MAX)
		return;
	snprintf(name, sizeof(name), "file:%s", id);
	signpost.adapter->facts.tell(signpost.self, name, signpost.server, 1);
}

/* A question has its answer. */
static void
signpost_end(struct signpost_ask *a, const char *where)
{
	a->cb(where == NULL ? NULL : a->server, where, a->arg);
	free(a->fact);
	free(a);
}

/* A fact: where the server is; or first, which one it is. */
static void
signpost_told_cb(const char *value, void *arg)
{
	struct signpost_ask	*a = arg;
	char			*fact;

	if (value == NULL || *value == '\0' || a->server[0] != '\0') {
		signpost_end(a, value != NULL && *value != '\0' ? value : NULL);
		return;
	}
	if (!signpost_is_name(value) || signpost.server == NULL ||
	    strcmp(value, signpost.server) == 0 ||
	    asprintf(&fact, "at:%s", value) == -1) {
		signpost_end(a, NULL);
		return;
	}
	strcpy(a->server, value);
	free(a->fact);
	a->fact = fact;
	signpost_ask(a);
}

/* Ask for its fact. */
static void
signpost_ask(struct signpost_ask *a)
{
	if (!signpost.up || signpost.adapter->facts.ask(signpost.self, a->fact,
	    signpost_told_cb, a) == -1)
		signpost_end(a, NULL);
}

/* A question whose first fact is "what:name"; of server, or, NULL, of the one that this is
 * to say. */
static void
signpost_begin(const char *what, const char *name, const char *server,
    signpost_cb *cb, void *arg)
{
	struct signpost_ask	*a = NULL;

	if (signpost.adapter == NULL || kennel_option(SIGNPOST_KEY) == NULL ||
	    (a = calloc(1, sizeof(*a))) == NULL ||
	    asprintf(&a->fact, "%s:%s", what, name) == -1) {
		free(a);
		cb(NULL, NULL, arg);
		return;
	}
	a->cb = cb;
	a->arg = arg;
	if (server != NULL)
		strcpy(a->server, server);
	if (signpost.up || signpost.late) {
		signpost_ask(a);
		return;
	}
	list_push(&signpost.waiting, &a->at);
	if (signpost.patience == NULL)
		signpost.patience = kennel_timer_new(SIGNPOST_WAIT_MS, 0,
		    signpost_go_on, NULL);
}

void
signpost_where(const char *server, signpost_cb *cb, void *arg)
{
	if (!signpost_is_name(server) || (signpost.server != NULL &&
	    strcmp(server, signpost.server) == 0))
		cb(NULL, NULL, arg);
	else
		signpost_begin("at", server, server, cb, arg);
}

void
signpost_find(const char *id, signpost_cb *cb, void *arg)
{
	if (strlen(id) > SHARE_ID_MAX)
		cb(NULL, NULL, arg);
	else
		signpost_begin("file", id, NULL, cb, arg);
}
