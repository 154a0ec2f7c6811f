/* This process's part of a forest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "proto/jss_write.h"
#include "shardd/ape/grove.h"
#include "shardd/ape/signpost.h"
#include "shardd/forest/kin.h"
#include "shardd/forest/missive.h"
#include "shardd/forest/senders.h"
#include "shardd/kennel-forest.h"

#define GROVE_MAX	(16 << 20)	/* bytes of a message */
#define GROVE_BEAT_MS	40000		/* a third of an entry's life */

static struct {
	int		 joined;	/* or has left */
	const struct forest_adapter *adapter;
	void		*self;		/* NULL: not joined (yet), or has left */
	struct forest_site site;
	struct kin	*kin;
	struct senders	 senders;
	struct kennel_timer *beat;
	grove_push_cb	*push;
	int		 up;
	size_t		 odd;		/* messages that nobody understood */
	size_t		 deaf;		/* for which there was no room */
	size_t		 lost;		/* of ours, that could not be pushed */
} grove;

struct grove_letter {
	ape_sent_cb	*sent;
	void		*arg;
	size_t		 len;
	char		*text;
	char		 server[SENDERS_ID_MAX + 1];
	char		 dest[APE_ID + 1];
};

/* ---- coming, staying, going ---- */

void
grove_open(grove_push_cb *cb)
{
	grove.push = cb;
}

void
grove_add(const struct ape_client *c)
{
	if (!grove.up)
		return;
	if (grove.adapter->lookup.add(grove.self, c->id) == 0)
		kennel_log_at(KENNEL_LOG_DEBUG, "forest registered client=%s",
		    c->id);
}

void
grove_remove(const struct ape_client *c)
{
	if (grove.up && list_empty(&c->twins))
		grove.adapter->lookup.remove(grove.self, c->id,
		    grove.site.server_id);
}

/* All clients of this process, each once.  How many. */
static size_t
grove_each(void (*what)(const struct ape_client *))
{
	struct map_node	*n;
	struct list	*e, *tmp;
	struct room	*room;
	size_t		 all = 0;

	list_each(e, tmp, room_all()) {
		room = list_entry(e, struct room, at);
		for (n = map_first(&room->clients); n != NULL;
		    n = map_next(&room->clients, n), all++)
			what(container_of(n, struct ape_client, by_id));
	}
	return (all);
}

/* Entries are said again before they are forgotten; and what was odd is told. */
static void
grove_beat_cb(void *arg)
{
	(void)arg;
	grove_each(grove_add);
	senders_doubt(&grove.senders);
	if (grove.odd + grove.deaf + grove.lost > 0)
		kennel_log_at(KENNEL_LOG_WARN, "forest namespace=%s dropped "
		    "not-understood=%zu no-room=%zu not-pushed=%zu",
		    grove.site.ns, grove.odd, grove.deaf, grove.lost);
	grove.odd = grove.deaf = grove.lost = 0;
}

/* The others have come, or have gone. */
static void
grove_state_cb(int up, void *arg)
{
	size_t	 n = 0;

	(void)arg;
	if (up == grove.up)
		return;
	grove.up = up;
	signpost_up(up);
	if (up)
		n = grove_each(grove_add);
	if (up)
		kennel_log("forest joined namespace=%s server=%s by=%s "
		    "clients=%zu", grove.site.ns, grove.site.server_id,
		    grove.adapter->name, n);
	else
		kennel_log_at(KENNEL_LOG_WARN, "forest away namespace=%s "
		    "server=%s by=%s", grove.site.ns, grove.site.server_id,
		    grove.adapter->name);
}

/* ---- hearing ---- */

/* What another server says, and is no kin. */
static void
grove_understand(const char *msg, size_t len)
{
	struct missive	 m;
	struct list	*e, *tmp;

	if (missive_read(&m, msg, len) == -1)
		grove.odd++;
	else
		list_each(e, tmp, room_all())
			if (grove.push != NULL)
				grove.push(list_entry(e, struct room, at),
				    m.dest, m.except, m.type, m.data);
	missive_clear(&m);
}

/* Something was pushed to this server, or to all. */
static void
grove_heard_cb(const char *sender, const char *msg, size_t len, void *arg)
{
	char	 said[SENDERS_ID_MAX + 1];
	size_t	 n;

	(void)arg;
	if (len > GROVE_MAX) {
		grove.deaf++;
		return;
	}
	if (sender != NULL)
		n = strlen(sender);
	else {
		n = missive_sender(said, sizeof(said), msg, len);
		sender = said;
	}
	if (n == 0 || n > SENDERS_ID_MAX)
		grove.odd++;
	else if (strcmp(sender, grove.site.server_id) != 0 &&
	    senders_heard(&grove.senders, sender, n, msg, len) == -1)
		grove.deaf++;
}

/* ---- joining and leaving ---- */

/* It is known what this node is called: connect. */
static void
grove_named_cb(const char *id, void *arg)
{
	const struct forest_adapter	*a = grove.adapter;

	(void)arg;
	grove.site.server_id = id;
	if ((grove.self = a->join(&grove.site, grove_state_cb, NULL)) == NULL ||
	    a->channels.pull(grove.self, id, grove_heard_cb, NULL) == -1 ||
	    a->channels.pull(grove.self, "", grove_heard_cb, NULL) == -1)
		kennel_log_at(KENNEL_LOG_WARN, "forest namespace=%s by=%s cannot "
		    "be joined why=\"%s\"", grove.site.ns, a->name,
		    strerror(errno));
	if (grove.self == NULL)
		return;
	signpost_use(a, grove.self, id);
	signpost_up(grove.up);
}

/* The adapter of these addresses, or NULL. */
static const struct forest_adapter *
grove_adapter(const char *where)
{
	static const struct {
		const char	*scheme;
		const struct forest_adapter *adapter;
	} rows[] = {
		{ "redis:", &forest_redis }, { "rediss:", &forest_redis },
		{ "sentinel:", &forest_redis }, { "sentinels:", &forest_redis },
		{ "unix:", &forest_redis },
		{ "postgresql:", &forest_postgres },
		{ "postgres:", &forest_postgres },
	};

	for (size_t i = 0; i < nitems(rows); i++)
		if (strncmp(where, rows[i].scheme, strlen(rows[i].scheme)) == 0)
			return (rows[i].adapter);
	return (NULL);
}

int
ape_join(const struct forest_adapter *adapter)
{
	const char	*ns = kennel_option("ape_namespace");
	const char	*where = kennel_option("ape_forest");

	if (grove.joined) {
		errno = EALREADY;
		return (-1);
	}
	if (ns == NULL || (where != NULL && strcmp(where, "none") == 0)) {
		signpost_open();	/* files go to other nodes all the same */
		return (0);
	}
	if (where == NULL && adapter == NULL)
		where = kennel_option("redis");
	grove.site.ns = ns;
	grove.site.where = where == NULL ? "" : where;
	grove.adapter = adapter != NULL ? adapter :
	    grove_adapter(grove.site.where);
	if (grove.adapter == NULL) {
		kennel_log_at(KENNEL_LOG_WARN, "forest namespace=%s: there is no "
		    "Redis, and [ape] forest names nothing else", ns);
		errno = EINVAL;
		return (-1);
	}
	grove.joined = 1;
	senders_init(&grove.senders, NULL, grove_understand);
	if ((grove.beat = kennel_timer_new(GROVE_BEAT_MS, 1, grove_beat_cb,
	    NULL)) == NULL || (grove.kin = kin_new(kennel_option(
	    "ape_server_id"), grove_named_cb, NULL)) == NULL)
		return (-1);
	grove.senders.kin = grove.kin;
	return (0);
}

void
ape_leave(void)
{
	signpost_close();
	if (grove.self != NULL) {
		kennel_log("forest leaving namespace=%s server=%s",
		    grove.site.ns, grove.site.server_id);
		grove.up = 0;
		signpost_use(NULL, NULL, NULL);
		grove.adapter->leave(grove.self);
		grove.self = NULL;
	}
	kennel_timer_free(grove.beat);
	grove.beat = NULL;
	kin_free(grove.kin);
	grove.kin = NULL;
	senders_clear(&grove.senders);
	grove.site.server_id = NULL;
}

const char *
ape_server_id(void)
{
	return (grove.site.server_id);
}

/* ---- saying ---- */

/* A push as other servers hear it: with a client's id, if there is one, under that name,
 * and with who says it. */
static int
grove_text(struct buf *b, const char *name, const char *id, struct slice push)
{
	b->max = GROVE_MAX;
	buf_adds(b, "{");
	if (id != NULL)
		buf_addf(b, "\"%s\":\"%s\",", name, id);
	buf_add(b, push.data + 1, push.len - 2);
	buf_adds(b, ",\"_senderServerId\":");
	jss_write_string(b, grove.site.server_id, strlen(grove.site.server_id));
	buf_adds(b, "}");
	return (b->failed ? -1 : 0);
}

void
grove_all(struct slice push, const char *except)
{
	struct buf	 b = { 0 };

	if (!grove.joined)
		return;
	if (!grove.up || grove_text(&b, "excludeClientId", except, push) == -1 ||
	    grove.adapter->channels.push(grove.self, "", b.data, b.len,
	    NULL, NULL) == -1)
		grove.lost++;
	else
		kennel_log_at(KENNEL_LOG_DEBUG, "forest pushed to=ALL bytes=%zu",
		    b.len);
	buf_clear(&b);
}

struct grove_letter *
grove_write(const char *dest, struct slice push)
{
	struct grove_letter	*l;
	struct buf		 b = { 0 };

	if (!grove.up || (l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	if (grove_text(&b, "destClientId", dest, push) == -1) {
		buf_clear(&b);
		free(l);
		return (NULL);
	}
	l->text = b.data;
	l->len = b.len;
	memcpy(l->dest, dest, APE_ID);
	return (l);
}

/* A letter has come to its end. */
static void
grove_end(struct grove_letter *l, int reached)
{
	ape_sent_cb	*sent = l->sent;
	void		*arg = l->arg;

	grove_drop(l);
	if (sent != NULL)
		sent(reached, arg);
}

/* The server has it, or has gone, and its entry with it. */
static void
grove_pushed_cb(int reached, void *arg)
{
	struct grove_letter	*l = arg;

	if (!reached && grove.up)
		grove.adapter->lookup.remove(grove.self, l->dest, l->server);
	if (reached)
		kennel_log_at(KENNEL_LOG_DEBUG, "forest pushed to=%s bytes=%zu",
		    l->server, l->len);
	grove_end(l, reached);
}

/* It is known who has that client. */
static void
grove_read_cb(const char *server, void *arg)
{
	struct grove_letter	*l = arg;
	size_t			 n = server == NULL ? 0 : strlen(server);

	if (n == 0 || n > SENDERS_ID_MAX || !grove.up ||
	    strcmp(server, grove.site.server_id) == 0) {
		grove_end(l, 0);
		return;
	}
	memcpy(l->server, server, n + 1);
	if (grove.adapter->channels.push(grove.self, server, l->text, l->len,
	    grove_pushed_cb, l) == -1) {
		grove.lost++;
		grove_end(l, 0);
	}
}

void
grove_send(struct grove_letter *l, ape_sent_cb *sent, void *arg)
{
	l->sent = sent;
	l->arg = arg;
	if (!grove.up || grove.adapter->lookup.read(grove.self, l->dest,
	    grove_read_cb, l) == -1)
		grove_end(l, 0);
}

void
grove_drop(struct grove_letter *l)
{
	if (l == NULL)
		return;
	free(l->text);
	free(l);
}
