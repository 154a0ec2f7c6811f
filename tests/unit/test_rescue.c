/* Connections of a dead shard, its page written as shards do, and shards played here. */
#include <sys/socket.h>
#include <sys/stat.h>

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/turn.h"
#include "gatewayd/address.h"
#include "gatewayd/covers.h"
#include "gatewayd/linger.h"
#include "gatewayd/rescue.h"
#include "gatewayd/routes.h"
#include "proto/cover.h"
#include "proto/page.h"
#include "tests/unit/played.h"

#define CLIENTS_MAX	400

struct taken {			/* what a shard was told to adopt */
	uint64_t	 id, replica;
	uint32_t	 bits, hops, strikes;
	enum capsule_protocol protocol;
	char		 uid[32], group[32], topics[32], blob[32], label[32];
	ino_t		 inode;
};

struct client {
	uint64_t	 id;
	int		 fd;		/* the client's end */
	int		 ours;		/* the other one */
	ino_t		 inode;		/* of that */
	uint32_t	 slot;		/* in the page */
};

static struct rescues	*rs;
static struct lingerers	*linger;
static struct taken	 taken[SHARDS][CLIENTS_MAX];
static size_t		 ntaken[SHARDS], nlost[SHARDS];
static char		 lost[SHARDS][256];
static struct client	 clients[CLIENTS_MAX];
static size_t		 nclients;
static struct page	*page;
static int		 grown;

static ino_t
inode(int fd)
{
	struct stat	 st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return (st.st_ino);
}

static void
copy(char dst[32], struct slice s)
{
	snprintf(dst, 32, "%.*s", (int)s.len, s.data);
}

static int
peer_message_cb(struct control *c, const struct ctl *m, int *fds, size_t nfds,
    int cut, void *arg)
{
	int		 i = *(int *)arg;
	struct taken	*t;
	struct capsule	 cap;

	(void)c;
	ck_assert_int_eq(cut, 0);
	if (m->type == CTL_LOST) {
		snprintf(lost[i] + strlen(lost[i]), 32, "%.*s ",
		    (int)m->text.len - 1, m->text.data + 1);
		nlost[i]++;
		return (0);
	}
	ck_assert_str_eq(ctl_name(m->type), "adopt");
	ck_assert_uint_eq(nfds, 1);
	ck_assert_uint_gt(m->time, clock_ms());	/* not for ever */
	ck_assert_int_eq(capsule_decode(&cap, m->value.data, m->value.len), 0);
	t = &taken[i][ntaken[i]++];
	*t = (struct taken){ .id = m->id, .replica = m->replica,
	    .bits = cap.bits, .hops = cap.hops, .strikes = cap.strikes,
	    .protocol = cap.protocol, .inode = inode(fds[0]) };
	ck_assert_uint_eq(cap.id, m->id);
	ck_assert_uint_eq(cap.replica, m->replica);
	copy(t->uid, cap.uid);
	copy(t->group, cap.group);
	copy(t->topics, cap.topics);
	copy(t->blob, cap.blob);
	copy(t->label, cap.route);
	return (0);
}

static int
shard_message_cb(struct control *c, const struct ctl *m, int *fds, size_t nfds,
    int cut, void *arg)
{
	(void)c, (void)fds, (void)nfds, (void)cut;
	if (m->type == CTL_ADOPTED)
		ck_assert_int_eq(rescue_adopted(rs, arg, m->id), 0);
	else
		ck_assert_int_eq(rescue_refused(rs, arg, m->id, m->text,
		    m->why == CLOSE_GOING), 0);
	return (0);
}

static int
grow_cb(struct roster *r)
{
	(void)r;
	grown++;
	return (-1);
}

/* The gateway takes it for one that hangs. */
static void
suspect_cb(struct roster *r, struct shard *s)
{
	(void)r;
	s->site->usable = 0;
}

static const struct rescue_ops	 ops = { grow_cb, suspect_cb };

static void
setup(void)
{
	int	 fd;

	played_begin(shard_message_cb, peer_message_cb);
	settings.routes = routes_new();
	covers_allow(p, CLIENTS_MAX);
	linger = linger_new(base, 100, &totals);
	rs = rescues_new(base, &settings, &totals, p, NULL, linger, &ops,
	    NULL);
	for (size_t i = 0; i < SHARDS; i++) {
		all->slots[i].capsule = CAPSULE_VERSION;
		ntaken[i] = nlost[i] = 0;
		lost[i][0] = '\0';
	}
	ck_assert_ptr_nonnull(page = page_new(100, &fd));
	ck_assert_int_eq(cover_begin(fd), 0);
	ck_assert_int_eq(pulse_begin(&all->slots[0].pulse, fd, 100), 0);
	nclients = 0;
	grown = 0;
}

static void
teardown(void)
{
	ck_assert_int_eq(verify_placement(p), 0);
	for (size_t i = 0; i < nclients; i++)
		close(clients[i].fd);
	rescues_free(rs);
	linger_free(linger);
	played_end();
	ck_assert_uint_eq(rescue_count(NULL), 0);
	routes_free(settings.routes);
}

/* Let the loop go round. */
static void
turn(void)
{
	for (int i = 0; i < 4; i++) {
		turn_end();
		played_round();
	}
}

/* Two connected ends, of TCP or not, that never wait; the second is accepted. */
static void
ends(int tcp, int fds[2])
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		 len = sizeof(sin);
	int			 fd;

	if (!tcp) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM |
		    SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
		return;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fds[0], (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	fds[1] = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fds[1], 0);
	close(fd);
}

/* A covered client in shard 0, with a slot in its page as cap says. */
static struct client *
join_by(int tcp, const char *group, const char *uid, struct capsule cap)
{
	struct placement_ask	 ask = { .id = next_id++, .limit = 300,
				    .app = slice_str("chat"),
				    .group = slice_str(group),
				    .uid = slice_str(uid) };
	struct client		*c = &clients[nclients++];
	struct place		*place;
	int			 fds[2];

	all->slots[1].site->usable = all->slots[2].site->usable = 0;
	ck_assert_int_eq(placement_take(p, &ask, &place), PLACED);
	ck_assert_ptr_eq(place_site(place), all->slots[0].site);
	all->slots[1].site->usable = all->slots[2].site->usable = 1;
	ends(tcp, fds);
	c->id = ask.id;
	c->fd = fds[0];
	c->ours = fds[1];
	c->inode = inode(fds[1]);
	ck_assert_int_eq(covers_keep(p, place, fds[1]), 0);
	cap.id = ask.id;
	cap.protocol = cap.protocol == 0 ? CAPSULE_WS : cap.protocol;
	if (cap.app.data == NULL)
		cap.app = ask.app;
	if (cap.group.data == NULL)
		cap.group = ask.group;
	if (cap.uid.data == NULL)
		cap.uid = ask.uid;
	cap.route = slice_str("lobby");
	cap.peer = slice_str("127.0.0.1:1");
	c->slot = cover_add(&cap, NULL, cover_place(cap.app, cap.group), 0, 0);
	ck_assert_uint_ne(c->slot, 0);
	if (cap.topics.len > 0)
		ck_assert_int_eq(cover_topics(c->slot, cap.topics), 0);
	cover_strikes(c->slot, (uint8_t)cap.strikes);
	return (c);
}

static struct client *
join(const char *group, const char *uid, struct capsule cap)
{
	return (join_by(0, group, uid, cap));
}

/* Number i of those that the shard writes to: so many bytes, of which done are written. */
static void
writes(size_t i, const struct client *c, size_t len, size_t done)
{
	static const char	 data[64];

	ck_assert_int_eq(send(c->ours, data, done, MSG_NOSIGNAL),
	    (ssize_t)done);
	cover_write(i, c->slot, len);
	cover_writing(i + 1);
}

/* Shard 0 has died, and is buried: how many of its connections ended here. */
static size_t
die(void)
{
	struct shard	*s = &all->slots[0];
	size_t		 others, n;

	rescue_shard_dead(rs, s);
	shard_move(s, SHARD_SILENT);
	s->site->usable = 0;
	s->site->dead = 1;
	others = rescue_begin(rs, s);
	n = placement_site_remove(p, s->site);
	ck_assert_uint_le(others, n);
	s->site = NULL;
	turn();
	ck_assert_int_eq(verify_placement(p), 0);
	return (n);
}

/* The shard says so of all that it was told to adopt. */
static void
answer(int i, enum ctl_type type, enum close_why why)
{
	struct ctl	 m = { .type = type, .why = why };
	size_t		 n = ntaken[i];

	for (size_t k = 0; k < n; k++) {
		m.id = taken[i][k].id;
		ck_assert_int_eq(control_send(peers[i], &m, NULL), 0);
	}
	ntaken[i] = 0;
	turn();
}

static struct taken *
found(uint64_t id)
{
	for (int i = 0; i < SHARDS; i++)
		for (size_t k = 0; k < ntaken[i]; k++)
			if (taken[i][k].id == id)
				return (&taken[i][k]);
	return (NULL);
}

/* What a client reads: "", nothing yet; "end"; or the code of a close frame, its
 * reason, and then the end. */
static const char *
heard(const struct client *c)
{
	static char	 text[256];
	unsigned char	 buf[256];
	ssize_t		 n = recv(c->fd, buf, sizeof(buf), 0);

	if (n == -1 && errno == EAGAIN)
		return ("");
	if (n <= 0)
		return ("end");
	ck_assert_uint_eq(buf[0], 0x88);
	ck_assert_int_eq(n, buf[1] + 2);
	snprintf(text, sizeof(text), "%d %.*s", buf[2] << 8 | buf[3],
	    buf[1] - 2, (char *)buf + 4);
	ck_assert_int_eq(recv(c->fd, buf, sizeof(buf), 0), 0);
	return (text);
}

START_TEST(who_is_at_rest_goes_on_elsewhere)
{
	struct client	*a = join("room", "ann", (struct capsule){
			    .hops = 3, .topics = slice_of("news", 5) });
	struct client	*b = join("room", "bob", (struct capsule){
			    .strikes = 1 });
	struct client	*c = join(NULL, "cat", (struct capsule){
			    .protocol = CAPSULE_RAW });
	struct map	 addresses = { .count = 0 };
	struct address	*address = address_ref(&addresses,
			    slice_str("10.0.0.1:1"));
	struct taken	*t;

	placement_find(p, a->id)->address = address;
	ck_assert_uint_eq(die(), 0);
	ck_assert_uint_eq(rescue_count(rs), 3);
	ck_assert_uint_eq(address_count(address), 1);
	ck_assert_ptr_nonnull(t = found(a->id));
	ck_assert_uint_eq(t->bits, CAPSULE_B_RESUMED);
	ck_assert_uint_eq(t->hops, 4);
	ck_assert_uint_eq(t->strikes, 0);
	ck_assert_uint_eq(t->inode, a->inode);
	ck_assert_str_eq(t->uid, "ann");
	ck_assert_str_eq(t->group, "room");
	ck_assert_str_eq(t->topics, "news");
	ck_assert_str_eq(t->label, "lobby");
	ck_assert_uint_eq(t->replica, placement_find(p, a->id)->replica->id);
	ck_assert_ptr_nonnull(t = found(b->id));
	ck_assert_uint_eq(t->strikes, 1);
	ck_assert_uint_eq(t->replica, placement_find(p, a->id)->replica->id);
	ck_assert_ptr_nonnull(t = found(c->id));
	ck_assert_uint_eq(t->replica, 0);
	ck_assert_int_eq(t->protocol, CAPSULE_RAW);
	ck_assert_uint_eq(covers_count(p), 0);
	for (int i = 1; i < SHARDS; i++)
		answer(i, CTL_ADOPTED, 0);
	ck_assert_uint_eq(rescue_count(rs), 0);
	ck_assert_uint_eq(covers_count(p), 3);
	ck_assert_uint_eq(totals.survived, 3);
	ck_assert_uint_eq(totals.gone[CLOSE_SHARD_DIED], 0);
	ck_assert_uint_eq(inode(placement_find(p, a->id)->fd), a->inode);
	ck_assert_ptr_eq(placement_find(p, a->id)->address, address);
	for (size_t i = 0; i < nclients; i++)
		ck_assert_str_eq(heard(&clients[i]), "");
	ck_assert_int_eq(placement_release(p, a->id, NULL), 0);
	ck_assert_str_eq(heard(a), "end");
	map_clear(&addresses);
}
END_TEST

START_TEST(who_was_amid_something_is_not_handed_on)
{
	struct client	*in = join("room", "in", (struct capsule){ .id = 0 });
	struct client	*out = join("room", "out", (struct capsule){ .id = 0 });
	struct client	*going = join("room", "going", (struct capsule){
			    .id = 0 });
	struct client	*raw = join("room", "raw", (struct capsule){
			    .protocol = CAPSULE_RAW });
	struct client	*reading = join("room", "read", (struct capsule){
			    .id = 0 });
	struct client	*writing = join("room", "write", (struct capsule){
			    .id = 0 });

	cover_bits(in->slot, COVER_B_IN, 1);
	cover_bits(out->slot, COVER_B_OUT, 1);
	cover_bits(going->slot, COVER_B_GOING, 1);
	cover_bits(raw->slot, COVER_B_IN, 1);
	cover_reading(reading->slot);
	cover_write(0, writing->slot, 0);
	cover_writing(1);
	ck_assert_uint_eq(die(), 6);
	ck_assert_uint_eq(ntaken[1] + ntaken[2], 0);
	ck_assert_str_eq(heard(in), "1012 Its shard died.");
	ck_assert_str_eq(heard(reading), "1012 Its shard died.");
	ck_assert_str_eq(heard(out), "end");
	ck_assert_str_eq(heard(writing), "end");
	ck_assert_str_eq(heard(going), "end");
	ck_assert_str_eq(heard(raw), "end");
	ck_assert_uint_eq(totals.survived, 0);
	ck_assert_uint_eq(covers_count(p), 0);
}
END_TEST

/* Until there is something to be read. */
static void
await(int fd)
{
	struct pollfd	 pfd = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(poll(&pfd, 1, -1), 1);
}

/* Of those who were written to, TCP knows whose write is whole. */
START_TEST(whose_write_is_whole_or_not_begun_goes_on)
{
	static const struct { size_t len, done; int on; } rows[] = {
		{ 40, 0, 1 }, { 40, 40, 1 }, { 40, 39, 0 }, { 40, 1, 0 },
		{ 40, 41, 0 }, { 0, 0, 1 }, { 0, 40, 0 },
	};
	struct client	*c[nitems(rows)], *local;
	char		 uid[8], buf[64];
	size_t		 ended = 1;

	for (size_t i = 0; i < nitems(rows); i++) {
		snprintf(uid, sizeof(uid), "u%zu", i);
		c[i] = join_by(1, "room", uid, (struct capsule){ .id = 0 });
		writes(i, c[i], rows[i].len, rows[i].done);
		ended += !rows[i].on;
	}
	/* Nobody knows it of another socket. */
	local = join("room", "unix", (struct capsule){ .id = 0 });
	writes(nitems(rows), local, 40, 0);
	ck_assert_uint_eq(die(), ended);
	ck_assert_str_eq(heard(local), "end");
	for (size_t i = 0; i < nitems(rows); i++) {
		ck_assert_int_eq(found(c[i]->id) != NULL, rows[i].on);
		if (rows[i].done > 0) {
			await(c[i]->fd);
			ck_assert_int_eq(recv(c[i]->fd, buf, sizeof(buf), 0),
			    (int)rows[i].done);
		}
		if (!rows[i].on)
			await(c[i]->fd);
		ck_assert_str_eq(heard(c[i]), rows[i].on ? "" : "end");
	}
}
END_TEST

/* Those who were packed for another shard: only that one knows whether it has them. */
START_TEST(who_was_packed_goes_on_if_the_other_shard_has_had_its_word)
{
	struct client	*going = join("room", "going", (struct capsule){
			    .id = 0 });
	struct client	*out = join("room", "out", (struct capsule){ .id = 0 });

	cover_bits(going->slot, COVER_B_GOING, 1);
	cover_bits(out->slot, COVER_B_GOING | COVER_B_OUT, 1);
	all->slots[0].heard = _i;
	ck_assert_uint_eq(die(), _i == 1 ? 1 : 2);
	ck_assert_str_eq(heard(going), _i == 1 ? "" : "end");
	ck_assert_int_eq(found(going->id) != NULL, _i == 1);
	ck_assert_str_eq(heard(out), "end");
}
END_TEST

START_TEST(two_deaths_of_ones_messages_are_enough)
{
	struct client	*c = join("room", "eve", (struct capsule){ .id = 0 });
	struct client	*d = join("room", "ann", (struct capsule){ .id = 0 });
	struct taken	*t;

	cover_reading(c->slot);
	cover_amid(0);
	ck_assert_uint_eq(die(), 0);
	ck_assert_ptr_nonnull(t = found(c->id));
	ck_assert_uint_eq(t->strikes, 1);
	ck_assert_uint_eq(found(d->id)->strikes, 0);
	for (int i = 1; i < SHARDS; i++)
		answer(i, CTL_ADOPTED, 0);
	ck_assert_str_eq(heard(c), "");
}
END_TEST

START_TEST(the_second_in_a_row_closes_it)
{
	struct client	*c = join("room", "eve", (struct capsule){
			    .strikes = 1 });
	struct client	*d = join("room", "ann", (struct capsule){
			    .strikes = 1 });

	cover_reading(c->slot);
	cover_amid(0);
	ck_assert_uint_eq(die(), 1);
	ck_assert_ptr_null(found(c->id));
	ck_assert_uint_eq(found(d->id)->strikes, 1);
	ck_assert_uint_eq(totals.gone[CLOSE_POISON], 1);
	ck_assert_int_eq(strncmp(heard(c), "1012 Its shard died of its",
	    26), 0);
}
END_TEST

START_TEST(what_a_page_says_wrongly_is_not_believed)
{
	struct client	*group = join("room", "a", (struct capsule){
			    .group = slice_str("other") });
	struct client	*uid = join("room", "b", (struct capsule){
			    .uid = slice_str("root") });
	struct client	*app = join("room", "c", (struct capsule){
			    .app = slice_str("pact") });
	struct client	*none = join("room", "d", (struct capsule){ .id = 0 });
	struct client	*alone = join(NULL, "e", (struct capsule){
			    .group = slice_str("room") });
	struct client	*http = join("room", "f", (struct capsule){
			    .protocol = CAPSULE_HTTP });

	cover_remove(none->slot);
	ck_assert_uint_eq(die(), 6);
	ck_assert_uint_eq(ntaken[1] + ntaken[2], 0);
	ck_assert_str_eq(heard(group), "end");
	ck_assert_str_eq(heard(uid), "end");
	ck_assert_str_eq(heard(app), "end");
	ck_assert_str_eq(heard(none), "end");
	ck_assert_str_eq(heard(alone), "end");
	ck_assert_str_eq(heard(http), "end");
}
END_TEST

START_TEST(a_page_of_another_shard_says_nothing)
{
	struct client	*c = join("room", "a", (struct capsule){ .id = 0 });

	all->slots[0].pulse.incarnation = 999;
	ck_assert_uint_eq(die(), 1);
	ck_assert_str_eq(heard(c), "end");
}
END_TEST

START_TEST(a_shard_has_so_many_unanswered)
{
	char	 uid[16];

	all->slots[2].site->leaving = 1;
	for (int i = 0; i < 200; i++) {
		snprintf(uid, sizeof(uid), "u%d", i);
		join("room", uid, (struct capsule){ .id = 0 });
	}
	ck_assert_uint_eq(die(), 0);
	for (size_t left = 200; left > 0; left -= left < 64 ? left : 64) {
		ck_assert_uint_eq(rescue_count(rs), left);
		ck_assert_uint_eq(ntaken[1], left < 64 ? left : 64);
		answer(1, CTL_ADOPTED, 0);
	}
	ck_assert_uint_eq(rescue_count(rs), 0);
	ck_assert_uint_eq(totals.survived, 200);
	ck_assert_uint_eq(all->slots[1].site->count, 200);
}
END_TEST

START_TEST(who_is_refused_everywhere_is_lost_and_the_others_hear_of_it)
{
	struct client	*c = join("room", "eve", (struct capsule){ .id = 0 });
	struct placement_ask ask = { .id = 5000, .limit = 300,
			    .app = slice_str("chat"),
			    .group = slice_str("room"),
			    .uid = slice_str("ann") };
	struct place	*place;

	all->slots[0].site->leaving = all->slots[2].site->leaving = 1;
	ck_assert_int_eq(placement_take(p, &ask, &place), PLACED);
	ck_assert_ptr_eq(place_site(place), all->slots[1].site);
	all->slots[0].site->leaving = 0;
	ck_assert_uint_eq(die(), 0);
	for (int i = 0; i < RESCUE_TRIES; i++) {
		ck_assert_uint_eq(ntaken[1], 1);
		ck_assert_str_eq(heard(c), "");
		/* To be refused by one that leaves is no try. */
		answer(1, CTL_REFUSED, CLOSE_GOING);
		ck_assert_uint_eq(ntaken[1], 1);
		answer(1, CTL_REFUSED, CLOSE_LOST);
	}
	ck_assert_uint_eq(ntaken[1], 0);
	ck_assert_uint_eq(rescue_count(rs), 0);
	ck_assert_str_eq(heard(c), "1012 Its shard died.");
	ck_assert_uint_eq(totals.lost_by_death, 1);
	ck_assert_uint_eq(totals.gone[CLOSE_SHARD_DIED], 1);
	ck_assert_uint_eq(nlost[1], 1);
	ck_assert_uint_eq(placement_count(p), 1);
}
END_TEST

START_TEST(without_a_shard_it_waits_for_one)
{
	struct client	*c = join("room", "ann", (struct capsule){ .id = 0 });

	all->slots[1].site->usable = all->slots[2].site->usable = 0;
	ck_assert_uint_eq(die(), 0);
	ck_assert_uint_eq(rescue_count(rs), 1);
	ck_assert_int_eq(grown, 1);
	ck_assert_str_eq(heard(c), "");
	all->slots[2].site->usable = 1;
	rescue_shard_ready(rs, &all->slots[2]);
	turn();
	ck_assert_uint_eq(ntaken[2], 1);
	answer(2, CTL_ADOPTED, 0);
	ck_assert_uint_eq(totals.survived, 1);
}
END_TEST

START_TEST(one_that_is_starting_gets_it_when_it_is_ready)
{
	struct client	*c = join("room", "ann", (struct capsule){ .id = 0 });

	all->slots[1].site->usable = 0;
	shard_move(&all->slots[2], SHARD_STARTING);
	ck_assert_uint_eq(die(), 0);
	ck_assert_ptr_eq(place_site(placement_find(p, c->id)),
	    all->slots[2].site);
	ck_assert_uint_eq(ntaken[2], 0);
	shard_move(&all->slots[2], SHARD_READY);
	rescue_shard_ready(rs, &all->slots[2]);
	turn();
	ck_assert_uint_eq(ntaken[2], 1);
	answer(2, CTL_ADOPTED, 0);
	ck_assert_uint_eq(totals.survived, 1);
}
END_TEST

START_TEST(who_waits_when_all_leave_is_closed)
{
	struct client	*c = join("room", "ann", (struct capsule){ .id = 0 });

	all->slots[1].site->usable = all->slots[2].site->usable = 0;
	ck_assert_uint_eq(die(), 0);
	rescue_leave(rs);
	turn();
	ck_assert_uint_eq(rescue_count(rs), 0);
	ck_assert_str_eq(heard(c), "1012 Its shard died.");
}
END_TEST

START_TEST(the_next_shard_dies_too)
{
	char	 uid[16];

	for (int i = 0; i < 10; i++) {
		snprintf(uid, sizeof(uid), "u%d", i);
		join("room", uid, (struct capsule){ .id = 0 });
	}
	all->slots[2].site->usable = 0;
	ck_assert_uint_eq(die(), 0);
	ck_assert_uint_eq(ntaken[1], 10);
	all->slots[2].site->usable = 1;
	/* It has said nothing: all are ours. */
	all->slots[1].site->usable = 0;
	rescue_shard_dead(rs, &all->slots[1]);
	ck_assert_uint_eq(all->slots[1].site->count, 0);
	ck_assert_uint_eq(all->slots[1].rescuing, 0);
	turn();
	ck_assert_uint_eq(ntaken[2], 10);
	answer(2, CTL_ADOPTED, 0);
	ck_assert_uint_eq(totals.survived, 10);
	ck_assert_uint_eq(covers_count(p), 10);
}
END_TEST

START_TEST(who_is_not_answered_in_time_goes_elsewhere)
{
	struct client	*c = join("room", "u0", (struct capsule){ .id = 0 });
	char		 uid[16];
	uint64_t	 until;

	for (int i = 1; i < 100; i++) {
		snprintf(uid, sizeof(uid), "u%d", i);
		join("room", uid, (struct capsule){ .id = 0 });
	}
	all->slots[2].site->usable = 0;
	ck_assert_uint_eq(die(), 0);
	all->slots[2].site->usable = 1;
	ck_assert_uint_eq(ntaken[1], 64);
	until = clock_ms() + 60000;
	while ((ntaken[2] < 64 || all->slots[1].site->count > 0) &&
	    clock_ms() < until)
		turn();
	/* Those that stood behind them, too; all of them, once. */
	ck_assert_uint_eq(all->slots[1].site->count, 0);
	ck_assert_uint_eq(all->slots[1].rescuing, 0);
	ck_assert_uint_eq(ntaken[1], 64);
	ntaken[1] = 0;
	answer(2, CTL_ADOPTED, 0);
	ck_assert_uint_eq(ntaken[2], 36);
	answer(2, CTL_ADOPTED, 0);
	ck_assert_uint_eq(totals.survived, 100);
	ck_assert_uint_eq(totals.lost_by_death, 0);
	ck_assert_uint_eq(all->slots[2].site->count, 100);
	ck_assert_str_eq(heard(c), "");
}
END_TEST

START_TEST(without_another_shard_it_waits_until_that_one_answers)
{
	struct client	*c = join("room", "ann", (struct capsule){ .id = 0 });
	uint64_t	 until = clock_ms() + 60000;

	all->slots[2].site->usable = 0;
	ck_assert_uint_eq(die(), 0);
	ck_assert_uint_eq(ntaken[1], 1);
	ntaken[1] = 0;
	while (all->slots[1].site->count > 0 && clock_ms() < until)
		turn();
	ck_assert_uint_eq(all->slots[1].site->usable, 0);
	ck_assert_uint_eq(rescue_count(rs), 1);
	all->slots[1].site->usable = 1;		/* it has answered */
	rescue_retry(rs);
	turn();
	ck_assert_uint_eq(ntaken[1], 1);
	answer(1, CTL_ADOPTED, 0);
	ck_assert_uint_eq(totals.survived, 1);
	ck_assert_str_eq(heard(c), "");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("rescue");
	TCase	*t = tcase_create("rescue");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, who_is_at_rest_goes_on_elsewhere);
	tcase_add_test(t, who_was_amid_something_is_not_handed_on);
	tcase_add_test(t, whose_write_is_whole_or_not_begun_goes_on);
	tcase_add_loop_test(t,
	    who_was_packed_goes_on_if_the_other_shard_has_had_its_word, -1, 2);
	tcase_add_test(t, two_deaths_of_ones_messages_are_enough);
	tcase_add_test(t, the_second_in_a_row_closes_it);
	tcase_add_test(t, what_a_page_says_wrongly_is_not_believed);
	tcase_add_test(t, a_page_of_another_shard_says_nothing);
	tcase_add_test(t, a_shard_has_so_many_unanswered);
	tcase_add_test(t, who_is_refused_everywhere_is_lost_and_the_others_hear_of_it);
	tcase_add_test(t, without_a_shard_it_waits_for_one);
	tcase_add_test(t, one_that_is_starting_gets_it_when_it_is_ready);
	tcase_add_test(t, who_waits_when_all_leave_is_closed);
	tcase_add_test(t, the_next_shard_dies_too);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, who_is_not_answered_in_time_goes_elsewhere);
	tcase_add_test(t, without_another_shard_it_waits_until_that_one_answers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
