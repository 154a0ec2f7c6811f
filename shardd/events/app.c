/* An application of kennel.h that serves fast-tcp's clients. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/config.h"
#include "common/log.h"
#include "shardd/events/acks.h"
#include "shardd/events/asking.h"
#include "shardd/events/frames.h"
#include "shardd/events/handlers.h"
#include "shardd/events/handshake.h"
#include "shardd/events/holder.h"
#include "shardd/events/holder_far.h"
#include "shardd/events/incoming.h"
#include "shardd/events/inside.h"
#include "shardd/events/transit.h"
#include "shardd/events/uplink.h"
#include "shardd/events/outgoing.h"
#include "shardd/events/relay.h"
#include "shardd/events/sockets.h"
#include "shardd/events/told.h"
#include "shardd/events/waits.h"

#define APP_FRAME_MAX	((size_t)64 << 20)	/* bytes of a frame */
#define APP_STUCK_MS	10000
#define APP_PRESSURE	((size_t)1 << 20)	/* bytes: senders of streams wait */

/* ---- what a listener says ---- */

/* "json" or "none". */
static int
app_set_object_check(struct events_socket *s, const char *value,
    const char **why)
{
	s->check_json = strcmp(value, "json") == 0;
	*why = "neither json nor none";
	return (s->check_json || strcmp(value, "none") == 0 ? 0 : -1);
}

/* "refuse" or "relay". */
static int
app_set_reserved(struct events_socket *s, const char *value, const char **why)
{
	s->no_reserved = strcmp(value, "refuse") == 0;
	*why = "neither refuse nor relay";
	return (s->no_reserved || strcmp(value, "relay") == 0 ? 0 : -1);
}

static int
app_set_frame_max(struct events_socket *s, const char *value, const char **why)
{
	return (config_size(value, 64, (size_t)1 << 30, &s->in.max, why));
}

static int
app_set_stuck(struct events_socket *s, const char *value, const char **why)
{
	return (config_duration(value, 1000, 3600000, &s->stuck_ms, why));
}

static int
app_set_dialect(struct events_socket *s, const char *value, const char **why)
{
	static const struct {
		const char	*word;
		enum speaks	 speaks;
	} words[] = {
		{ "1", SPEAKS_D1 }, { "fast-tcp", SPEAKS_D1 },
		{ "2", SPEAKS_D2 }, { "auto", SPEAKS_EITHER },
	};

	*why = "neither 1 (or fast-tcp), nor 2, nor auto";
	for (size_t i = 0; i < nitems(words); i++)
		if (strcmp(value, words[i].word) == 0) {
			s->speaks = (uint8_t)words[i].speaks;
			return (0);
		}
	return (-1);
}

/* Whether clients of dialect 2 are taken without a key. */
static int
app_set_psk_optional(struct events_socket *s, const char *value,
    const char **why)
{
	int	 on = 0;

	if (config_bool(value, &on, why) == -1)
		return (-1);
	s->psk_optional = on != 0;
	return (0);
}

static int
app_set_handshake(struct events_socket *s, const char *value, const char **why)
{
	return (config_duration(value, 100, 3600000, &s->handshake_ms, why));
}

static int
app_set_silence(struct events_socket *s, const char *value, const char **why)
{
	return (config_duration(value, 10, 60000, &s->silence_ms, why));
}

static const struct {
	const char	*key;
	int		(*set)(struct events_socket *s, const char *value,
			    const char **why);
} app_settings[] = {
	{ "dialect",		app_set_dialect },
	{ "app.frame_max",	app_set_frame_max },
	{ "app.handshake",	app_set_handshake },
	{ "app.object_check",	app_set_object_check },
	{ "app.psk_optional",	app_set_psk_optional },
	{ "app.reserved",	app_set_reserved },
	{ "app.silence",	app_set_silence },
	{ "app.stuck",		app_set_stuck },
};

/* What s's listener says.  0, or -1: it says what cannot be. */
static int
app_settings_read(struct events_socket *s)
{
	const char	*value, *why;

	s->in.dialect = fasttcp_d1;
	s->in.max = APP_FRAME_MAX;
	s->stuck_ms = APP_STUCK_MS;
	s->handshake_ms = HANDSHAKE_MS;
	s->silence_ms = HANDSHAKE_SILENCE_MS;
	for (size_t i = 0; i < nitems(app_settings); i++) {
		value = kennel_socket_setting(s->socket, app_settings[i].key);
		if (value == NULL || app_settings[i].set(s, value, &why) == 0)
			continue;
		log_warn("events app=%s: the listener's %s = %s is %s",
		    s->server->events->name, app_settings[i].key, value, why);
		return (-1);
	}
	return (0);
}

/* ---- kennel_app ---- */

static int
app_onstart(struct kennel_replica *r)
{
	struct events_server	*v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return (-1);
	v->events = kennel_replica_app(r)->arg;
	v->replica = r;
	list_init(&v->outgoing);
	list_init(&v->waiting);
	asking_init(v);
	if (holder_start(v, &holder_far_ops, &holder_far_network) == -1) {
		free(v);
		return (-1);
	}
	kennel_replica_set_data(r, v);
	return (0);
}

static void
app_onstop(struct kennel_replica *r)
{
	struct events_server	*v = kennel_replica_data(r);

	asking_clear(v);
	holder_stop(v);
	outgoing_clear(v);
	relay_clear(v);
	rooms_clear(&v->rooms);
	map_clear(&v->by_id);
	bag_clear(&v->by_number);
	bag_clear(&v->incoming);
	bag_clear(&v->asked);
	free(v->sockets);
	free(v);
}

/* s hears its id, for which others can reach it already. */
static int
app_greet(struct events_socket *s)
{
	const struct fasttcp_frame	 f = { .type = FASTTCP_REGISTER,
					    .data_type = FASTTCP_STRING,
					    .id = ID_REGISTER,
					    .data = socket_id(s) };

	return (sockets_send(s, &f));
}

/* s is a client from now on.  0, or -1: it is none, and its connection is to end. */
static int
app_register(struct events_socket *s)
{
	struct events	*e = s->server->events;

	if (sockets_add(s) == -1) {
		if (errno != ENOMEM)
			log_warn("events app=%s: a client's uid is not its own "
			    "or no id: listeners need uid = random20 or uuid",
			    e->name);
		return (-1);
	}
	if (app_greet(s) == -1) {
		sockets_remove(s);
		return (-1);
	}
	s->registered = 1;
	if (e->connected != NULL)
		e->connected(s, e->connected_arg);
	if (e->downlink_added != NULL && s->in.dialect == fasttcp_d2)
		e->downlink_added(s, e->downlink_arg);
	transit_touch(s);
	return (0);
}

/* s begins, as its listener says: 0, or -1. */
static int
app_begin(struct events_socket *s)
{
	if (app_settings_read(s) == -1)
		return (-1);
	return (s->speaks == SPEAKS_D1 ? app_register(s) :
	    handshake_begin(s, app_register, holder_accept));
}

static int
app_onopen(struct kennel_socket *ks)
{
	struct events_server	*v = kennel_replica_data(
				    kennel_socket_replica(ks));
	struct events_socket	*s;

	if (v == NULL && kennel_socket_data(ks) != NULL)
		return (holder_dialled(ks));
	if (v == NULL || !kennel_socket_raw(ks)) {
		log_warn("events: a client without a group, or not by a "
		    "listener, cannot be served");
		return (-1);
	}
	if ((s = sockets_new(v, ks)) == NULL)
		return (-1);
	kennel_socket_set_data(ks, s);
	if (app_begin(s) == 0)
		return (0);
	kennel_socket_set_data(ks, NULL);
	sockets_free(s);
	return (-1);
}

static ssize_t
app_ondata(struct kennel_socket *ks, const char *data, size_t len)
{
	struct events_socket	*s = kennel_socket_data(ks);

	if (s->handshake != NULL)
		return (handshake_input(s, data, len));
	return (s->registered ? frames_input(s, data, len) :
	    uplink_input(s, data, len));
}

static void
app_onpressure(struct kennel_socket *ks, int high)
{
	struct events_socket	*s = kennel_socket_data(ks);

	if (s == NULL || s->server == NULL)
		return;
	if (s->link != NULL)
		uplink_high(s->link, high);
	else
		relay_socket_high(s, high);
}

/* s, a client, has gone. */
static void
app_unregister(struct events_socket *s)
{
	struct events	*e = s->server->events;

	waits_socket_gone(s);
	sockets_remove(s);
	incoming_socket_gone(s);
	relay_socket_gone(s);
	outgoing_socket_gone(s);
	acks_socket_gone(s);
	if (e->downlink_removed != NULL && s->in.dialect == fasttcp_d2)
		e->downlink_removed(s, e->downlink_arg);
	if (e->disconnected != NULL)
		e->disconnected(s, e->disconnected_arg);
}

static void
app_onclose(struct kennel_socket *ks, const struct kennel_close *c)
{
	struct events_socket	*s = kennel_socket_data(ks);

	if (s->handshake != NULL)
		handshake_end(s);
	if (s->registered)
		app_unregister(s);
	if (s->link != NULL)
		uplink_gone(s, c->label);
	kennel_socket_set_data(ks, NULL);
	sockets_free(s);
}

static int
app_freeze(struct kennel_socket *ks, struct kennel_blob *b)
{
	return (transit_pack(kennel_socket_data(ks), b));
}

static int
app_thaw(struct kennel_socket *ks, const char *data, size_t len, int how)
{
	struct events_server	*v = kennel_replica_data(
				    kennel_socket_replica(ks));
	struct events_socket	*s;

	if (v == NULL || (s = sockets_new(v, ks)) == NULL)
		return (-1);
	if (app_settings_read(s) == -1 ||
	    transit_unpack(s, data, len, how) == -1) {
		sockets_free(s);
		return (-1);
	}
	kennel_socket_set_data(ks, s);
	return (0);
}

static void
app_onmoved(struct kennel_socket *ks, int how)
{
	struct events_socket	*s = kennel_socket_data(ks);

	/* A stream may have begun while it was not sure whether s goes. */
	relay_socket_gone(s);
	transit_end(s, how);
	kennel_socket_set_data(ks, NULL);
	sockets_free(s);
}

static void
app_ontold(struct kennel_socket *ks, uint64_t neighbour,
    const struct kennel_word *w)
{
	told_one(kennel_socket_data(ks), neighbour, w);
}

static void
app_onlost(struct kennel_replica *r, uint64_t neighbour,
    const struct kennel_uid *uids, size_t n, int flags)
{
	(void)uids, (void)n, (void)flags;
	relay_neighbour_gone(kennel_replica_data(r), neighbour);
	asking_neighbour_gone(kennel_replica_data(r), neighbour);
	holder_neighbour_gone(kennel_replica_data(r), neighbour);
}

static void
app_ontell(struct kennel_replica *r, uint64_t neighbour,
    const struct kennel_word *w)
{
	told(kennel_replica_data(r), neighbour, w);
}

static void
app_oneased(struct kennel_replica *r)
{
	relay_eased(kennel_replica_data(r));
	holder_eased(kennel_replica_data(r));
}

static void
app_onexit(const struct kennel_app *app)
{
	events_free(app->arg);
}

/* ---- kennel-events.h ---- */

struct events *
events_new(const char *name)
{
	struct events	*e;

	if ((e = calloc(1, sizeof(*e))) != NULL)
		e->name = name;
	return (e);
}

void
events_free(struct events *e)
{
	if (e == NULL)
		return;
	handlers_clear(e);
	free(e);
}

struct kennel_app
events_app(struct events *e)
{
	return ((struct kennel_app){
		.name = e->name,
		.message_max = APP_FRAME_MAX + 4,
		.onstart = app_onstart,
		.onstop = app_onstop,
		.onopen = app_onopen,
		.ondata = app_ondata,
		.onpressure = app_onpressure,
		.pressure_high = APP_PRESSURE,
		.onclose = app_onclose,
		.onlost = app_onlost,
		.ontell = app_ontell,
		.oneased = app_oneased,
		.onexit = app_onexit,
		.arg = e,
		.moves = 1,
		.freeze = app_freeze,
		.thaw = app_thaw,
		.onmoved = app_onmoved,
		.ontold = app_ontold,
	});
}

void
events_set_serializer(struct events *e, const struct events_serializer *how)
{
	e->serializer = how;
}

void
events_on_connection(struct events *e, events_socket_cb *cb, void *arg)
{
	e->connected = cb;
	e->connected_arg = arg;
}

void
events_on_disconnection(struct events *e, events_socket_cb *cb, void *arg)
{
	e->disconnected = cb;
	e->disconnected_arg = arg;
}

void
events_on_room(struct events *e, events_room_cb *cb, void *arg)
{
	e->room = cb;
	e->room_arg = arg;
}

void
events_on_downlink(struct events *e, events_socket_cb *added,
    events_socket_cb *removed, void *arg)
{
	e->downlink_added = added;
	e->downlink_removed = removed;
	e->downlink_arg = arg;
}
