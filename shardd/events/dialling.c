/*
 * Going to the peers that the configuration names.  The option `uplinks` has a line
 * for each: name, cost, file of the key, address, separated by tabs.
 */
#include <stdlib.h>

#include "common/backoff.h"
#include "common/log.h"
#include "shardd/events/dialling.h"
#include "shardd/events/inside.h"
#include "shardd/events/uplink.h"
#include "shardd/events/sockets.h"

#define DIAL_MIN_MS	1000
#define DIAL_MAX_MS	30000
#define DIAL_WITHIN_MS	10000		/* until the peer has answered and linked */
#define DIAL_FRAME_MAX	((size_t)64 << 20)

enum { DIAL_NAME, DIAL_COST, DIAL_FILE, DIAL_ADDRESS, DIAL_NFIELDS };

struct dial {
	struct list	 at;		/* dials; of itself, once it is dropped */
	struct events_server *server;	/* NULL: dropped */
	char		*line;		/* as the option has it */
	char		*text;		/* what fields points into */
	const char	*fields[DIAL_NFIELDS];
	struct uplink_way	 way;
	struct backoff	 backoff;
	struct kennel_timer *timer;	/* until it is tried again */
	struct events_socket *socket;	/* the connection there is */
	int		 calling;	/* done is to come */
};

static void	 dial_call_cb(void *arg);

/* Nobody needs d any more. */
static void
dial_free(struct dial *d)
{
	kennel_timer_free(d->timer);
	free(d->line);
	free(d->text);
	free(d);
}

/* Try d later. */
static void
dial_later(struct dial *d)
{
	kennel_timer_free(d->timer);
	d->timer = kennel_timer_new(backoff_next(&d->backoff), 0,
	    dial_call_cb, d);
}

/* The attempt is over. */
static void
dial_done(struct kennel_socket *ks, int err, void *arg)
{
	struct dial	*d = arg;

	(void)ks;
	d->calling = 0;
	if (err == 0)
		return;			/* what follows is the link's */
	if (d->server == NULL) {
		dial_free(d);
		return;
	}
	log_info("events uplink=%s address=%s: %s", d->way.name,
	    d->fields[DIAL_ADDRESS], strerror(err));
	dial_later(d);
}

/* The link has ended. */
static void
dial_ended(void *arg)
{
	struct dial	*d = arg;

	d->socket = NULL;
	if (d->server != NULL)
		dial_later(d);
	else if (!d->calling)
		dial_free(d);
}

/* It is time to try. */
static void
dial_call_cb(void *arg)
{
	struct dial	*d = arg;

	kennel_timer_free(d->timer);
	d->timer = NULL;
	d->calling = 1;
	if (kennel_dial(kennel_replica_app(d->server->replica),
	    d->fields[DIAL_ADDRESS], DIAL_WITHIN_MS, dial_done, d) == -1) {
		d->calling = 0;
		dial_later(d);
	}
}

/* One of a line.  NULL: no memory, or the line is none. */
static struct dial *
dial_new(struct events_server *v, struct slice line)
{
	struct dial	*d;
	char		*at;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (NULL);
	d->line = slice_dup(line);
	if (d->line == NULL || (d->text = slice_dup(line)) == NULL) {
		dial_free(d);
		return (NULL);
	}
	at = d->text;
	for (size_t i = 0; i < DIAL_NFIELDS; i++)
		if ((d->fields[i] = strsep(&at, "\t")) == NULL) {
			dial_free(d);
			return (NULL);
		}
	d->server = v;
	d->way = (struct uplink_way){ d->fields[DIAL_NAME], d->fields[DIAL_FILE],
	    strtod(d->fields[DIAL_COST], NULL), dial_ended, d };
	backoff_init(&d->backoff, DIAL_MIN_MS, DIAL_MAX_MS);
	return (d);
}

/* Nobody goes to d's peer any more; a link that there is, is closed by somebody else. */
static void
dial_drop(struct dial *d)
{
	list_remove(&d->at);
	d->server = NULL;
	kennel_timer_free(d->timer);
	d->timer = NULL;
	if (d->socket == NULL && !d->calling)
		dial_free(d);
}

/* The next line of a text: 1, or 0, there is none. */
static int
dialling_line(const char **at, struct slice *line)
{
	const char	*end = *at == NULL ? NULL : strchrnul(*at, '\n');

	if (end == NULL || end == *at)
		return (0);
	*line = slice_of(*at, (size_t)(end - *at));
	*at = *end == '\0' ? end : end + 1;
	return (1);
}

/* Is the line one of the text? */
static int
dialling_says(const char *text, const char *line)
{
	struct slice	 l;

	while (dialling_line(&text, &l))
		if (slice_is(l, line))
			return (1);
	return (0);
}

/* Is somebody going there already? */
static int
dialling_has(struct list *dials, struct slice line)
{
	struct list	*e;

	for (e = dials->next; e != dials; e = e->next)
		if (slice_is(line, list_entry(e, struct dial, at)->line))
			return (1);
	return (0);
}

void
dialling_set(struct events_server *v, struct list *dials)
{
	const char		*text = kennel_option("uplinks"), *at = text;
	struct events_socket	*s;
	struct list		*e, *tmp;
	struct slice		 line;
	struct dial		*d;

	list_each(e, tmp, dials) {
		d = list_entry(e, struct dial, at);
		if (dialling_says(text, d->line))
			continue;
		s = d->socket;
		dial_drop(d);
		if (s != NULL)
			kennel_close(s->socket, 1000, "not wanted any more");
	}
	while (dialling_line(&at, &line)) {
		if (dialling_has(dials, line) ||
		    (d = dial_new(v, line)) == NULL)
			continue;
		list_push(dials, &d->at);
		d->timer = kennel_timer_new(1, 0, dial_call_cb, d);
	}
}

void
dialling_stop(struct list *dials)
{
	while (!list_empty(dials))
		dial_drop(list_entry(dials->next, struct dial, at));
}

/* s has been long enough on its way to be a link: it is tried afresh when it ends. */
static void
dial_settled_cb(void *arg)
{
	struct dial	*d = arg;

	kennel_timer_free(d->timer);
	d->timer = NULL;
	if (d->socket == NULL)
		return;
	if (uplink_is_up(d->socket->link))
		backoff_reset(&d->backoff);
	else {
		log_info("events uplink=%s closed: no link in time",
		    d->way.name);
		kennel_close(d->socket->socket, 1008, "handshake");
	}
}

int
dialling_opened(struct kennel_socket *ks)
{
	struct dial		*d = kennel_socket_data(ks);
	struct events_socket	*s;

	if (d->server == NULL || (s = sockets_new(d->server, ks)) == NULL)
		return (-1);
	s->in.dialect = fasttcp_d2;
	s->in.max = DIAL_FRAME_MAX;
	if (uplink_dialled(s, &d->way) == -1) {
		sockets_free(s);
		return (-1);
	}
	d->socket = s;
	d->timer = kennel_timer_new(DIAL_WITHIN_MS, 0, dial_settled_cb, d);
	kennel_socket_set_data(ks, s);
	return (0);
}
