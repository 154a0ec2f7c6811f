/* pact: what a room's state becomes.  Runs where the room's authority is. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_place.h"
#include "shardd/apps/pact_room.h"
#include "shardd/apps/pact_socket.h"

#define PACT_WORDS	5		/* of a step, at most */
#define PACT_LEFT	1000		/* writes to go on with another session */
#define PACT_PORTION	256		/* sessions or relays that end in a step */

static const char	 room_sockets[] = "~sockets/", room_relays[] = "~relays/";

/* Refusals of ours are errnos, so that they can travel. */
#define PACT_E_COUNTERS	EMFILE
#define PACT_E_POLLS	ENFILE
#define PACT_E_ANSWERS	EDQUOT
#define PACT_E_SESSIONS	EUSERS

const char *
pact_refusal(int err)
{
	switch (err) {
	case EAGAIN:
		return ("the store is unavailable, try again later");
	case EBADMSG:
		return ("the server fails on this, and does not try again");
	case ETIMEDOUT:
	case ECANCELED:
		return ("no answer, it may or may not have taken effect");
	case PACT_E_COUNTERS:
		return ("too many counters in this room");
	case PACT_E_POLLS:
		return ("too many polls in this room");
	case PACT_E_ANSWERS:
		return ("too many different answers in this poll");
	case PACT_E_SESSIONS:
		return ("too many sessions in this room");
	case ERANGE:
		return ("the counter would leave the range of numbers");
	case ENOSPC:
		return ("the room is full");
	default:
		return ("it could not be done");
	}
}

/* ---- reading and writing ---- */

static const char *
room_get(const struct kennel_step *t, const char *map, const char *key)
{
	return (kennel_get_in(t, map, key, strlen(key), NULL));
}

static double
room_number(const struct kennel_step *t, const char *map, const char *key)
{
	const char	*v = room_get(t, map, key);

	return (v == NULL ? 0 : strtod(v, NULL));
}

static void
room_put(struct kennel_step *t, const char *map, const char *key,
    const char *value)
{
	kennel_put(t, map, key, strlen(key), value,
	    value == NULL ? 0 : strlen(value));
}

static void
room_put_number(struct kennel_step *t, const char *map, const char *key,
    double v)
{
	char	 text[JS_NUMBER];

	js_number(text, v);
	room_put(t, map, key, text);
}

/* Adds, and removes what becomes 0.  The new value. */
static double
room_add(struct kennel_step *t, const char *map, const char *key, double by)
{
	double	 v = room_number(t, map, key) + by;

	if (v <= 0)
		room_put(t, map, key, NULL);
	else
		room_put_number(t, map, key, v);
	return (v);
}

/* ---- the list of keys, for walks that write ---- */

struct keys {
	char		**at;
	size_t		  n, cap;
	int		  failed;
};

static void
keys_cb(const char *key, size_t key_len, const char *value, size_t len,
    void *arg)
{
	struct keys	 *k = arg;
	char		**at;

	(void)value, (void)len;
	if (k->n == k->cap) {
		k->cap = k->cap == 0 ? 16 : k->cap * 2;
		if ((at = realloc(k->at, k->cap * sizeof(*at))) == NULL) {
			k->failed = 1;
			return;
		}
		k->at = at;
	}
	if ((k->at[k->n] = strndup(key, key_len)) == NULL)
		k->failed = 1;
	else
		k->n++;
}

/* About max of a map's keys, of those at its beginning. */
static void
keys_list(struct keys *k, const struct kennel_step *t, const char *map,
    size_t max)
{
	uint64_t	 cursor = 0;

	memset(k, 0, sizeof(*k));
	kennel_some_in(t, map, &cursor, max, keys_cb, k);
}

static void
keys_free(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->at[i]);
	free(k->at);
}

/* ---- polls ---- */

/* Answer NULL: take back. */
static int
room_vote(struct kennel_step *t, const struct pact_kind *kind,
    const char *poll, const char *session, const char *answer)
{
	const struct pact_limits *limits = pact_limits();
	char		*votes = pact_map(kind->votes, poll, strlen(poll));
	char		*tally = pact_map(kind->tally, poll, strlen(poll));
	char		*old = NULL;
	const char	*v;
	int		 err = ENOMEM;

	if (votes == NULL || tally == NULL)
		goto out;
	if ((v = room_get(t, votes, session)) != NULL &&
	    (old = strdup(v)) == NULL)
		goto out;
	if (old != NULL)
		room_add(t, tally, old, -1);
	err = PACT_E_POLLS;
	if (answer != NULL && room_get(t, kind->polls, poll) == NULL) {
		if (kennel_count_in(t, kind->polls) >= limits->polls)
			goto out;
		room_put(t, kind->polls, poll, "");
	}
	err = PACT_E_ANSWERS;
	if (answer != NULL && room_get(t, tally, answer) == NULL &&
	    kennel_count_in(t, tally) >= limits->answers)
		goto out;
	if (answer != NULL)
		room_add(t, tally, answer, 1);
	room_put(t, votes, session, answer);
	err = 0;
out:
	free(old);
	free(votes);
	free(tally);
	return (err);
}

/* The session has no socket any more: its ephemeral votes go. */
static int
room_forget_votes(struct kennel_step *t, const char *session)
{
	struct keys	 polls;
	char		*votes;
	int		 err;

	keys_list(&polls, t, pact_ephemeral.polls, SIZE_MAX);
	err = polls.failed ? ENOMEM : 0;
	for (size_t i = 0; err == 0 && i < polls.n; i++) {
		votes = pact_map(pact_ephemeral.votes, polls.at[i],
		    strlen(polls.at[i]));
		if (votes == NULL)
			err = ENOMEM;
		else if (room_get(t, votes, session) != NULL)
			err = room_vote(t, &pact_ephemeral, polls.at[i],
			    session, NULL);
		free(votes);
	}
	keys_free(&polls);
	return (err);
}

/* ---- the steps ---- */

/* Somebody is there: since when anybody is. */
static void
room_boot(struct kennel_step *t)
{
	char	 boot[JS_NUMBER];

	if (room_get(t, "~room", "boot") != NULL)
		return;
	js_number(boot, (double)kennel_time());
	room_put(t, "~room", "boot", boot);
}

static int
room_join(struct kennel_step *t, const char **w)
{
	const char	*session = w[1];
	char		*here = pact_map(room_sockets, w[2], strlen(w[2]));
	double		 increment;
	int		 err = ENOMEM;

	if (here == NULL)
		return (err);
	kennel_passing(t);
	increment = room_number(t, "room", "increment") + 1;
	room_put_number(t, "room", "increment", increment);
	err = PACT_E_SESSIONS;
	if (room_get(t, "suffixes", session) == NULL) {
		if (kennel_count_in(t, "suffixes") >= pact_limits()->sessions)
			goto out;
		room_put_number(t, "suffixes", session, increment);
	}
	room_boot(t);
	room_add(t, "~room", "connections", 1);
	room_add(t, "~room", "sockets", 1);
	room_add(t, here, session, 1);
	room_add(t, "~online", session, 1);
	err = 0;
out:
	free(here);
	return (err);
}

/* n sockets of the session have gone from a replica, whose map here is. */
static int
room_leave_n(struct kennel_step *t, const char *here, const char *session,
    double n)
{
	room_add(t, here, session, -n);
	room_add(t, "~room", "sockets", -n);
	if (room_add(t, "~online", session, -n) > 0)
		return (0);
	return (room_forget_votes(t, session));
}

static int
room_leave(struct kennel_step *t, const char **w)
{
	char	*here = pact_map(room_sockets, w[2], strlen(w[2]));
	int	 err = here == NULL ? ENOMEM : 0;

	/* Unless its joining was refused. */
	if (here != NULL && room_get(t, here, w[1]) != NULL)
		err = room_leave_n(t, here, w[1], 1);
	free(here);
	return (err);
}

/* A socket of the session is here although all that was where it came from has ended:
 * the room may have ended, too, and begun with it. */
static void
room_return(struct kennel_step *t, const char *session)
{
	double	 n = room_add(t, "~room", "sockets", 1);

	room_boot(t);
	if (room_number(t, "~room", "connections") < n)
		room_put_number(t, "~room", "connections", n);
	room_add(t, "~online", session, 1);
}

/* One of w[1] is not in one replica's map any more, but in another one's; unless the first
 * replica has ended before, and all of it with it: then it is back. */
static int
room_pass(struct kennel_step *t, const char **w, const char *map,
    void (*back)(struct kennel_step *, const char *))
{
	char	*from = pact_map(map, w[2], strlen(w[2]));
	char	*to = pact_map(map, w[3], strlen(w[3]));
	int	 err = from == NULL || to == NULL ? ENOMEM : 0;

	kennel_passing(t);
	if (err == 0 && room_get(t, from, w[1]) != NULL)
		room_add(t, from, w[1], -1);
	else if (err == 0)
		back(t, w[1]);
	if (err == 0)
		room_add(t, to, w[1], 1);
	free(from);
	free(to);
	return (err);
}

/* A socket of a session moves. */
static int
room_move(struct kennel_step *t, const char **w)
{
	return (room_pass(t, w, room_sockets, room_return));
}

/* So many sockets of the session are at that replica, whatever was counted. */
static int
room_here(struct kennel_step *t, const char **w)
{
	char	*here = pact_map(room_sockets, w[2], strlen(w[2]));
	double	 by;
	int	 err = 0;

	if (here == NULL)
		return (ENOMEM);
	kennel_passing(t);
	by = strtod(w[3], NULL) - room_number(t, here, w[1]);
	if (by > 0) {
		room_add(t, here, w[1], by);
		room_add(t, "~room", "sockets", by);
		room_add(t, "~online", w[1], by);
	} else if (by < 0)
		err = room_leave_n(t, here, w[1], -by);
	free(here);
	return (err);
}

/* Somebody here relays a type although that was forgotten. */
static void
room_return_relay(struct kennel_step *t, const char *type)
{
	room_add(t, "~relayed", type, 1);
}

/* Somebody who relays a type moves. */
static int
room_move_relay(struct kennel_step *t, const char **w)
{
	return (room_pass(t, w, room_relays, room_return_relay));
}

static int
room_login(struct kennel_step *t, const char **w)
{
	room_put(t, "profiles", w[1], w[2]);
	return (0);
}

static int
room_count(struct kennel_step *t, const char **w)
{
	double	 v = room_number(t, "counters", w[1]) + strtod(w[2], NULL);

	if (!isfinite(v))
		return (ERANGE);
	if (room_get(t, "counters", w[1]) == NULL &&
	    kennel_count_in(t, "counters") >= pact_limits()->counters)
		return (PACT_E_COUNTERS);
	room_put_number(t, "counters", w[1], v);
	return (0);
}

static int
room_poll(struct kennel_step *t, const char **w)
{
	return (room_vote(t, &pact_poll, w[2], w[1], w[3]));
}

static int
room_ephemeral(struct kennel_step *t, const char **w)
{
	/* A socket that has gone meanwhile leaves nothing behind. */
	if (room_get(t, "~online", w[1]) == NULL)
		return (0);
	return (room_vote(t, &pact_ephemeral, w[2], w[1], w[3]));
}

static int
room_config(struct kennel_step *t, const char **w)
{
	char	*text = strdup(w[1]);
	size_t	 len;

	if (text == NULL)
		return (ENOMEM);
	len = pact_unname(text);
	kennel_put(t, "room", "config", 6, text, len);
	free(text);
	return (0);
}

static int
room_relay(struct kennel_step *t, const char **w)
{
	char	*here = pact_map(room_relays, w[1], strlen(w[1]));
	double	 by = strtod(w[3], NULL);

	if (here == NULL)
		return (ENOMEM);
	room_add(t, here, w[2], by);
	room_add(t, "~relayed", w[2], by);
	free(here);
	return (0);
}

/* So many sockets relay the type at that replica, whatever was counted. */
static int
room_relay_here(struct kennel_step *t, const char **w)
{
	char	*here = pact_map(room_relays, w[1], strlen(w[1]));
	double	 by;

	if (here == NULL)
		return (ENOMEM);
	kennel_passing(t);
	by = strtod(w[3], NULL) - room_number(t, here, w[2]);
	if (by != 0) {
		room_add(t, here, w[2], by);
		room_add(t, "~relayed", w[2], by);
	}
	free(here);
	return (0);
}

static int
room_sync(struct kennel_step *t, const char **w)
{
	(void)t, (void)w;
	return (0);
}

static const struct {
	const char	*verb;
	size_t		 words;		/* with the verb */
	int		(*run)(struct kennel_step *, const char **);
} room_steps[] = {
	{ "join",	3, room_join },		/* session, replica */
	{ "leave",	3, room_leave },
	{ "move",	4, room_move },		/* session, replica, replica */
	{ "here",	4, room_here },		/* session, replica, number */
	{ "moverelay",	4, room_move_relay },	/* type, replica, replica */
	{ "login",	3, room_login },	/* session, properties */
	{ "counter",	3, room_count },	/* id, number */
	{ "poll",	4, room_poll },		/* session, poll, answer */
	{ "ephemeralPoll", 4, room_ephemeral },
	{ "config",	2, room_config },	/* as a name */
	{ "relay",	4, room_relay },	/* replica, type, 1 or -1 */
	{ "relayhere",	4, room_relay_here },	/* replica, type, number */
	{ "sync",	1, room_sync },		/* what was before it is known */
};

int
pact_decide(struct kennel_replica *r, struct kennel_step *t,
    const char *data, size_t len)
{
	struct pact_room	*room = kennel_replica_data(r);
	const char		*w[PACT_WORDS], *end;
	size_t			 n = 0;
	int			 err = EINVAL;

	if (len == 0 || data[len - 1] != '\0')
		return (EINVAL);
	for (end = data; end < data + len && n < PACT_WORDS;
	    end += strlen(end) + 1)
		w[n++] = end;
	if (n == 3 && strcmp(w[0], "join") == 0 &&
	    room_get(t, "suffixes", w[1]) == NULL)
		pact_make_place(t, &room->hand);
	for (size_t i = 0; end == data + len &&
	    i < sizeof(room_steps) / sizeof(room_steps[0]); i++)
		if (n == room_steps[i].words &&
		    strcmp(w[0], room_steps[i].verb) == 0)
			err = room_steps[i].run(t, w);
	return (err);
}

/* n relays of a type have ended in a replica, whose map here is. */
static int
room_end_relays(struct kennel_step *t, const char *here, const char *type,
    double n)
{
	room_add(t, here, type, -n);
	room_add(t, "~relayed", type, -n);
	return (0);
}

/*
 * All of what a replica had in its map ends, as much as fits in a step.  EAGAIN:
 * there is more.
 */
static int
room_end_all(struct kennel_step *t, const char *beginning, const char *hex,
    int (*end)(struct kennel_step *, const char *, const char *, double))
{
	struct keys	 keys;
	char		*here = pact_map(beginning, hex, strlen(hex));
	int		 err = 0;

	if (here == NULL)
		return (ENOMEM);
	keys_list(&keys, t, here, PACT_PORTION);
	if (keys.failed)
		err = ENOMEM;
	for (size_t i = 0; err == 0 && i < keys.n &&
	    (i == 0 || kennel_put_left(t) >= PACT_LEFT); i++)
		err = end(t, here, keys.at[i], room_number(t, here,
		    keys.at[i]));
	if (err == 0 && kennel_count_in(t, here) > 0)
		err = EAGAIN;
	keys_free(&keys);
	free(here);
	return (err);
}

/* All that was there, as if each had left. */
int
pact_gone(struct kennel_replica *r, struct kennel_step *t, uint64_t replica)
{
	char	 hex[PACT_REPLICA + 1];
	int	 err;

	(void)r;
	pact_replica_hex(hex, replica);
	err = room_end_all(t, room_sockets, hex, room_leave_n);
	return (err != 0 ? err : room_end_all(t, room_relays, hex,
	    room_end_relays));
}
