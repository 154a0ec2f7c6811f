/* Clients that have filled a link, among many others: what one message costs. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "shardd/events/inside.h"
#include "shardd/events/say.h"
#include "shardd/events/sockets.h"
#include "shardd/events/waits.h"

#define MANY	10000

/* In place of a worker's: clients whose number is their place here. */
struct kennel_socket {
	char	 uid[8];
	int	 paused;
};

static struct kennel_socket	 clients[MANY];
static struct events_socket	*sockets[MANY];
static struct events_server	 server;
static size_t			 looks, resumed;	/* how often */
static void			(*meanwhile)(struct kennel_socket *);

uint64_t
kennel_socket_id(const struct kennel_socket *s)
{
	looks++;
	return ((uint64_t)(s - clients) + 1);
}

const char *
kennel_socket_uid(const struct kennel_socket *s, size_t *len)
{
	*len = strlen(s->uid);
	return (s->uid);
}

size_t
kennel_socket_owed(const struct kennel_socket *s)
{
	(void)s;
	return (0);
}

void
kennel_pause(struct kennel_socket *s)
{
	s->paused++;
}

void
kennel_resume(struct kennel_socket *s)
{
	s->paused--;
	resumed++;
	if (meanwhile != NULL)
		meanwhile(s);
}

struct kennel_payload *
kennel_payload_new(const char *data, size_t len, int flags)
{
	(void)data, (void)len, (void)flags;
	return (NULL);
}

char *
kennel_payload_data(struct kennel_payload *p)
{
	return ((char *)p);
}

void
kennel_payload_free(struct kennel_payload *p)
{
	(void)p;
}

int
kennel_send(struct kennel_socket *s, const char *data, size_t len, int flags)
{
	(void)s, (void)data, (void)len, (void)flags;
	return (-1);
}

int
kennel_send_payload(struct kennel_socket *s, struct kennel_payload *p)
{
	(void)s, (void)p;
	return (-1);
}

int
kennel_send_headed(struct kennel_socket *s, const char *head, size_t n,
    struct kennel_payload *p)
{
	(void)s, (void)head, (void)n, (void)p;
	return (-1);
}

size_t
kennel_send_many(struct kennel_socket *const *to, size_t n,
    struct kennel_payload *p)
{
	(void)to, (void)p;
	return (n);
}

int
kennel_tell(struct kennel_socket *s, uint64_t neighbour, const char *head,
    size_t head_len, const char *data, size_t len)
{
	(void)s, (void)neighbour, (void)head, (void)head_len, (void)data;
	return (len > 0);
}

int
kennel_replica_tell(struct kennel_replica *r, uint64_t neighbour,
    const char *head, size_t head_len, const char *data, size_t len)
{
	(void)r, (void)neighbour, (void)head, (void)head_len, (void)data;
	return (len > 0);
}

uint64_t
kennel_replica_neighbour(const struct kennel_replica *r, size_t i)
{
	(void)r, (void)i;
	return (0);
}

static void
setup(void)
{
	list_init(&server.waiting);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(clients[i].uid, sizeof(clients[i].uid), "u%zu", i);
		sockets[i] = sockets_new(&server, &clients[i]);
		ck_assert_ptr_nonnull(sockets[i]);
		ck_assert_int_eq(sockets_add(sockets[i]), 0);
	}
	looks = resumed = 0;
}

static void
teardown(void)
{
	meanwhile = NULL;
	for (size_t i = 0; i < MANY; i++)
		if (sockets[i] != NULL) {
			waits_socket_gone(sockets[i]);
			sockets_remove(sockets[i]);
			sockets_free(sockets[i]);
		}
	map_clear(&server.by_id);
	bag_clear(&server.by_number);
	rooms_clear(&server.rooms);
	free(server.sockets);
	memset(&server, 0, sizeof(server));
	memset(clients, 0, sizeof(clients));
}

/* However many there are, a few are looked at: with a walk it were 5000 on average. */
START_TEST(each_is_found_among_many_at_once)
{
	for (uint64_t i = 1; i <= MANY; i++)
		waits_hold_number(&server, i);
	ck_assert_uint_le(looks, 4 * MANY);
	for (size_t i = 0; i < MANY; i++)
		ck_assert_int_eq(clients[i].paused, 1);
}
END_TEST

START_TEST(nobody_is_found_by_a_number_of_nobody)
{
	waits_hold_number(&server, 0);
	waits_hold_number(&server, MANY + 1);
	ck_assert_uint_le(looks, 8);
	ck_assert(list_empty(&server.waiting));
}
END_TEST

START_TEST(who_waits_goes_on_and_nobody_else)
{
	waits_hold_number(&server, 3);
	waits_hold_number(&server, 3);
	waits_hold(sockets[7]);
	ck_assert_int_eq(clients[2].paused, 1);
	ck_assert_int_eq(clients[7].paused, 1);
	waits_go_on(&server);
	ck_assert_uint_eq(resumed, 2);
	ck_assert_int_eq(clients[2].paused, 0);
	ck_assert_int_eq(clients[7].paused, 0);
	waits_go_on(&server);
	ck_assert_uint_eq(resumed, 2);
}
END_TEST

/* The socket that is read again fills the link at once. */
static void
again(struct kennel_socket *s)
{
	waits_hold(sockets[s - clients]);
}

START_TEST(who_fills_it_again_waits_for_the_next_time)
{
	for (size_t i = 0; i < 3; i++)
		waits_hold(sockets[i]);
	meanwhile = again;
	waits_go_on(&server);
	ck_assert_uint_eq(resumed, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(clients[i].paused, 1);
}
END_TEST

START_TEST(who_has_gone_does_not_wait)
{
	waits_hold(sockets[0]);
	waits_hold(sockets[1]);
	waits_socket_gone(sockets[0]);
	sockets_remove(sockets[0]);
	sockets_free(sockets[0]);
	sockets[0] = NULL;
	waits_hold_number(&server, 1);
	waits_go_on(&server);
	ck_assert_uint_eq(resumed, 1);
	ck_assert_int_eq(clients[1].paused, 0);
}
END_TEST

START_TEST(who_waits_very_long_goes_on)
{
	waits_hold(sockets[0]);
	waits_look(&server, clock_ms());
	ck_assert_uint_eq(resumed, 0);
	waits_look(&server, clock_ms() + 20000);
	ck_assert_uint_eq(resumed, 1);
}
END_TEST

/* ---- lists that name the same again and again ---- */

static void
count_cb(struct events_socket *s, void *arg)
{
	(void)s;
	++*(size_t *)arg;
}

/* How many receivers a list of 30 000 times that name means, at most so many. */
static size_t
meant(enum word_whom whom, const char *name, size_t most)
{
	struct buf	 b = { 0 };
	struct targets	 t = { .whom = whom };
	size_t		 n = 0;

	for (size_t i = 0; i < 30000; i++)
		buf_addf(&b, "%s%s", i == 0 ? "" : ",", name);
	ck_assert(!b.failed);
	t.names = slice_of(b.data, b.len);
	say_each(&server, &t, most, count_cb, &n);
	buf_clear(&b);
	return (n);
}

START_TEST(a_list_means_no_more_than_may_be)
{
	const size_t	 most = 1024 + 8 * MANY;

	for (size_t i = 0; i < 300; i++)
		ck_assert_int_eq(rooms_join(&server.rooms, &sockets[i]->rooms,
		    slice_str("r")), 0);
	ck_assert_uint_eq(meant(WHOM_ROOMS, "r", 1024), most);
	ck_assert_uint_eq(meant(WHOM_ROOMS, "nobody", 1024), 0);
	ck_assert_uint_eq(meant(WHOM_SOCKETS, "u7", 1024), 30000);
	ck_assert_uint_eq(meant(WHOM_ALL, "", 0), MANY);
}
END_TEST

static Suite *
waits_suite(void)
{
	Suite	*s = suite_create("waits");
	TCase	*tc = tcase_create("waits");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_is_found_among_many_at_once);
	tcase_add_test(tc, nobody_is_found_by_a_number_of_nobody);
	tcase_add_test(tc, who_waits_goes_on_and_nobody_else);
	tcase_add_test(tc, who_fills_it_again_waits_for_the_next_time);
	tcase_add_test(tc, who_has_gone_does_not_wait);
	tcase_add_test(tc, who_waits_very_long_goes_on);
	tcase_add_test(tc, a_list_means_no_more_than_may_be);
	suite_add_tcase(s, tc);
	return (s);
}

int
main(void)
{
	SRunner	*r = srunner_create(waits_suite());
	int	 failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
