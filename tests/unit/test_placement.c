/* (group, uid) to a shard, and the exact counts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <check.h>

#include "gatewayd/placement.h"
#include "gatewayd/verify.h"
#include "proto/uids.h"

static struct placement	*p;
static struct site	*sites[8];
static uint64_t		 next_id;
static int		 made, ended;
static uint64_t		 last_made, last_ended;
static char		 lost[256];		/* of those that ended: "ann " */

static void
made_cb(struct replica *r, void *arg)
{
	ck_assert_ptr_eq(arg, &made);
	ck_assert_uint_eq(r->count + r->over, 1);
	ck_assert_ptr_nonnull(r->site->owner);
	last_made = r->id;
	made++;
}

static void
ended_cb(struct replica *r, void *arg)
{
	struct list	*e, *tmp;

	ck_assert_ptr_eq(arg, &made);
	ck_assert_uint_eq(r->count + r->over, 0);
	list_each(e, tmp, &r->group->replicas)
		ck_assert_ptr_ne(list_entry(e, struct replica, at), r);
	last_ended = r->id;
	ended++;
	for (struct slice l = slice_of(r->lost.data, r->lost.len), uid;
	    uids_next(&l, &uid) == 1; ) {
		strncat(lost, uid.data, uid.len);
		strcat(lost, " ");
	}
}

static const struct placement_ops ops = {
	.replica_made = made_cb, .replica_ended = ended_cb
};

static void
setup(void)
{
	p = placement_new(7, &ops, &made);
	ck_assert_ptr_nonnull(p);
	next_id = 1;
	made = ended = 0;
	lost[0] = '\0';
}

static void
teardown(void)
{
	ck_assert_int_eq(verify_placement(p), 0);
	placement_free(p);
}

static void
add_sites(int n, size_t capacity)
{
	for (int i = 0; i < n; i++) {
		sites[i] = placement_site_add(p, (uint32_t)i, 1000 + i, capacity,
		    &sites[i]);
		ck_assert_ptr_nonnull(sites[i]);
	}
}

static enum placement_answer
take(const char *group, const char *uid, uint32_t limit, int http,
    struct place **out)
{
	struct placement_ask	 ask = {
		.id = next_id++, .group = slice_str(group),
		.uid = slice_str(uid), .app = slice_str("chat"),
		.limit = limit, .http = http
	};

	return (placement_take(p, &ask, out));
}

static struct place *
placed(const char *group, const char *uid, uint32_t limit, int http)
{
	struct place	*place = NULL;

	ck_assert_int_eq(take(group, uid, limit, http, &place), PLACED);
	ck_assert_ptr_nonnull(place);
	return (place);
}

static void
release(struct place *place)
{
	int	 last;

	ck_assert_int_eq(placement_release(p, place->id, &last), 0);
	ck_assert_int_eq(verify_placement(p), 0);
}

static size_t
groups(void)
{
	struct list	*e, *tmp;
	size_t		 n = 0;

	list_each(e, tmp, placement_groups(p))
		n++;
	return (n);
}

START_TEST(arrivals_fill_one_replica_then_the_next)
{
	struct place	*a[5];

	add_sites(3, 100);
	for (int i = 0; i < 5; i++) {
		char	 uid[16];

		snprintf(uid, sizeof(uid), "u%d", i);
		a[i] = placed("room", uid, 2, 0);
	}
	ck_assert_ptr_eq(a[0]->replica, a[1]->replica);
	ck_assert_ptr_eq(a[2]->replica, a[3]->replica);
	ck_assert_ptr_ne(a[0]->replica, a[2]->replica);
	ck_assert_ptr_ne(a[4]->replica, a[0]->replica);
	ck_assert_ptr_ne(a[4]->replica, a[2]->replica);
	ck_assert_uint_eq(a[0]->replica->count, 2);
	ck_assert_uint_eq(a[2]->replica->count, 2);
	ck_assert_uint_eq(a[4]->replica->count, 1);
	ck_assert_int_eq(made, 3);
	ck_assert_ptr_ne(place_site(a[0]), place_site(a[2]));
	ck_assert_ptr_ne(place_site(a[2]), place_site(a[4]));
	ck_assert_uint_eq(placement_count(p), 5);
}
END_TEST

START_TEST(a_burst_respects_the_limit)
{
	add_sites(8, 100);
	for (int i = 0; i < 16; i++)
		placed("room", "same", 2, 0);
	ck_assert_int_eq(made, 8);
	for (size_t i = 0; i < nitems(sites); i++)
		ck_assert_uint_eq(sites[i]->count, 2);
	ck_assert_int_eq(take("room", "same", 2, 0, NULL),
	    PLACEMENT_NEED_SHARD);
	ck_assert_uint_eq(placement_count(p), 16);
}
END_TEST

START_TEST(the_least_used_with_room_is_filled_after_a_close)
{
	struct place	*a[6], *b;

	add_sites(2, 100);
	for (int i = 0; i < 6; i++)
		a[i] = placed("room", (char[]){ (char)('a' + i), 0 }, 3, 0);
	/* 3 and 3; now 2 and 1. */
	b = a[0];
	ck_assert_ptr_ne(b->replica, a[3]->replica);
	release(a[0]);
	release(a[3]);
	release(a[4]);
	b = placed("room", "x", 3, 0);
	ck_assert_ptr_eq(b->replica, a[5]->replica);
	/* 2 and 2: current stays what it was, until it is full. */
	b = placed("room", "y", 3, 0);
	ck_assert_ptr_eq(b->replica, a[5]->replica);
	b = placed("room", "z", 3, 0);
	ck_assert_ptr_eq(b->replica, a[1]->replica);
	ck_assert_int_eq(made, 2);
}
END_TEST

START_TEST(the_oldest_wins_a_tie)
{
	struct place	*a[4];

	add_sites(2, 100);
	for (int i = 0; i < 4; i++)
		a[i] = placed("room", (char[]){ (char)('a' + i), 0 }, 2, 0);
	release(a[3]);
	release(a[1]);
	ck_assert_ptr_eq(placed("room", "x", 2, 0)->replica, a[0]->replica);
}
END_TEST

START_TEST(a_freed_place_is_taken_before_a_new_replica)
{
	struct place	*a[4], *b;

	add_sites(3, 100);
	for (int i = 0; i < 4; i++)
		a[i] = placed("room", (char[]){ (char)('a' + i), 0 }, 2, 0);
	release(a[0]);
	b = placed("room", "x", 2, 0);
	ck_assert_ptr_eq(b->replica, a[1]->replica);
	ck_assert_int_eq(made, 2);
}
END_TEST

START_TEST(an_empty_replica_ends_and_its_id_is_not_used_again)
{
	struct place	*a = placed("room", "a", 2, 0);
	uint64_t	 id = a->replica->id;

	release(a);
	ck_assert_int_eq(ended, 1);
	ck_assert_uint_eq(last_ended, id);
	ck_assert_uint_eq(groups(), 0);
	ck_assert_uint_eq(sites[0]->nreplicas, 0);
	a = placed("room", "a", 2, 0);
	ck_assert_uint_ne(a->replica->id, id);
	ck_assert_uint_ne(a->replica->id, 0);
	ck_assert_int_eq(made, 2);
}
END_TEST

START_TEST(a_known_uid_returns_while_there_is_room)
{
	struct place	*bob, *a[3];

	add_sites(3, 100);
	bob = placed("room", "bob", 2, 0);
	a[0] = placed("room", "a", 2, 0);
	a[1] = placed("room", "b", 2, 0);	/* the second is current */
	release(a[0]);
	a[2] = placed("room", "c", 2, 0);	/* the least used: both 1, oldest */
	ck_assert_ptr_eq(a[2]->replica, bob->replica);
	release(a[2]);
	/* current is bob's; another fills the second by stickiness. */
	ck_assert_ptr_eq(placed("room", "b", 2, 0)->replica, a[1]->replica);
	ck_assert_ptr_eq(placed("room", "bob", 2, 0)->replica, bob->replica);
	/* Full now: elsewhere, not away. */
	a[0] = placed("room", "bob", 2, 0);
	ck_assert_ptr_ne(a[0]->replica, bob->replica);
	ck_assert_ptr_ne(a[0]->replica, a[1]->replica);
	ck_assert_int_eq(made, 3);
}
END_TEST

START_TEST(the_most_recent_choice_with_room_is_stickiest)
{
	struct place	*first, *second, *fill, *other;

	add_sites(3, 100);
	first = placed("room", "bob", 2, 0);
	fill = placed("room", "a", 2, 0);
	second = placed("room", "bob", 2, 0);
	ck_assert_ptr_ne(first->replica, second->replica);
	release(fill);		/* room in both */
	other = placed("room", "bob", 2, 0);
	ck_assert_ptr_eq(other->replica, second->replica);
	/* The recent one is full: the one before. */
	ck_assert_ptr_eq(placed("room", "bob", 2, 0)->replica, first->replica);
	/* A close leaves the order as it was chosen. */
	release(other);
	ck_assert_ptr_eq(placed("room", "bob", 2, 0)->replica,
	    second->replica);
}
END_TEST

START_TEST(stickiness_ends_with_the_last_open_place)
{
	struct place	*bob, *keep, *c;
	int		 last = -1;

	add_sites(2, 100);
	bob = placed("room", "bob", 2, 0);
	keep = placed("room", "a", 2, 0);
	c = placed("room", "bob", 2, 0);
	ck_assert_int_eq(placement_release(p, bob->id, &last), 0);
	ck_assert_int_eq(last, 0);
	ck_assert_int_eq(placement_release(p, c->id, &last), 0);
	ck_assert_int_eq(last, 1);
	ck_assert_ptr_eq(placed("room", "bob", 2, 0)->replica, keep->replica);
}
END_TEST

START_TEST(a_second_release_changes_nothing)
{
	struct place	*a = placed("room", "a", 2, 0);
	uint64_t	 id = a->id;
	int		 last = 7;

	placed("room", "b", 2, 0);
	ck_assert_int_eq(placement_release(p, id, NULL), 0);
	ck_assert_int_eq(placement_release(p, id, &last), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(last, 7);
	ck_assert_uint_eq(placement_count(p), 1);
	ck_assert_uint_eq(sites[0]->count, 1);
}
END_TEST

START_TEST(http_goes_where_its_uid_is_and_moves_nothing)
{
	struct place	*bob, *a, *h;
	int		 last = 7;

	add_sites(2, 100);
	bob = placed("room", "bob", 3, 0);
	placed("room", "x", 3, 0);
	placed("room", "y", 3, 0);
	a = placed("room", "a", 3, 0);
	ck_assert_ptr_ne(a->replica, bob->replica);
	ck_assert_ptr_eq(a->replica->group->current, a->replica);
	h = placed("room", "bob", 4, 1);	/* room again for one */
	ck_assert_ptr_eq(h->replica, bob->replica);
	ck_assert_ptr_null(h->member);
	ck_assert_uint_eq(h->over, 0);
	ck_assert_uint_eq(bob->replica->count, 4);
	ck_assert_ptr_eq(a->replica->group->current, a->replica);
	ck_assert_int_eq(placement_release(p, h->id, &last), 0);
	ck_assert_int_eq(last, 0);
	ck_assert_ptr_eq(a->replica->group->current, a->replica);
	/* A stranger's request leaves no trace to return to. */
	h = placed("room", "new", 3, 1);
	ck_assert_ptr_eq(h->replica, a->replica);
	release(h);
	ck_assert_uint_eq(a->replica->group->members.count, 4);
}
END_TEST

START_TEST(http_goes_over_the_limit_counted_apart)
{
	struct place	*a[4], *h[3];

	add_sites(4, 100);
	for (int i = 0; i < 4; i++)
		a[i] = placed("room", (char[]){ (char)('a' + i), 0 }, 2, 0);
	for (int i = 0; i < 3; i++) {
		h[i] = placed("room", "h", 2, 1);
		ck_assert_int_eq(h[i]->over, 1);
	}
	ck_assert_int_eq(made, 2);
	ck_assert_ptr_eq(h[0]->replica, a[0]->replica);
	ck_assert_ptr_eq(h[1]->replica, a[2]->replica);
	ck_assert_ptr_eq(h[2]->replica, a[0]->replica);
	ck_assert_uint_eq(a[0]->replica->count, 2);
	ck_assert_uint_eq(a[0]->replica->over, 2);
	/* They keep it alive when the others go, and end it when they go. */
	release(a[0]);
	release(a[1]);
	ck_assert_int_eq(ended, 0);
	ck_assert_uint_eq(h[0]->replica->count, 0);
	release(h[0]);
	release(h[2]);
	ck_assert_int_eq(ended, 1);
}
END_TEST

START_TEST(http_that_stays_counts_like_an_upgrade)
{
	struct place	*a, *b, *h[2];
	int		 last = 7;

	add_sites(2, 100);
	a = placed("room", "a", 2, 0);
	h[0] = placed("room", "h", 2, 1);
	ck_assert_int_eq(placement_stay(p, h[0], slice_str("h")), 0);
	ck_assert_int_eq(placement_stay(p, h[0], slice_str("h")), 0);
	ck_assert_int_eq(verify_placement(p), 0);
	ck_assert_uint_eq(a->replica->group->members.count, 2);
	/* The replica is full now, and is not the one to be filled. */
	b = placed("room", "b", 2, 0);
	ck_assert_ptr_ne(b->replica, a->replica);
	placed("room", "c", 2, 0);
	/* Over the limit, where there was no room. */
	h[1] = placed("room", "h", 2, 1);
	ck_assert_int_eq(h[1]->over, 1);
	ck_assert_int_eq(placement_stay(p, h[1], slice_str("h")), 0);
	ck_assert_int_eq(h[1]->over, 1);
	ck_assert_int_eq(verify_placement(p), 0);
	ck_assert_int_eq(placement_release(p, h[0]->id, &last), 0);
	ck_assert_int_eq(last, 0);
	ck_assert_int_eq(placement_release(p, h[1]->id, &last), 0);
	ck_assert_int_eq(last, 1);
	ck_assert_int_eq(verify_placement(p), 0);
	/* Room came between the decision and the answer. */
	h[0] = placed("room", "h", 2, 1);
	h[1] = placed("room", "h", 2, 1);
	ck_assert_int_eq(h[1]->over, 1);
	release(a);
	release(h[0]);
	ck_assert_int_eq(placement_stay(p, h[1], slice_str("h")), 0);
	ck_assert_int_eq(verify_placement(p), 0);
	release(h[1]);
	/* Without a group there is nothing to sit in. */
	a = placed(NULL, "x", 2, 1);
	ck_assert_int_eq(placement_stay(p, a, slice_str("x")), 0);
	release(a);
}
END_TEST

START_TEST(http_makes_a_first_replica_but_no_shard)
{
	struct place	*h = NULL;

	ck_assert_int_eq(take("room", "a", 2, 1, &h), PLACED);
	ck_assert_int_eq(made, 1);
	ck_assert_ptr_null(h->replica->group->current);
	ck_assert_ptr_eq(placed("room", "b", 2, 0)->replica, h->replica);
	sites[0]->usable = 0;
	ck_assert_int_eq(take("room", "a", 2, 1, &h), PLACEMENT_FULL);
	ck_assert_int_eq(take("other", "a", 2, 1, &h), PLACEMENT_FULL);
	ck_assert_int_eq(take("other", "a", 2, 0, &h), PLACEMENT_NEED_SHARD);
	ck_assert_int_eq(take(NULL, "a", 2, 1, &h), PLACEMENT_FULL);
	ck_assert_int_eq(take(NULL, "a", 2, 0, &h), PLACEMENT_NEED_SHARD);
	ck_assert_uint_eq(groups(), 1);
}
END_TEST

START_TEST(no_group_goes_to_the_least_loaded)
{
	struct place	*a, *b, *c;

	add_sites(2, 2);
	a = placed(NULL, "", 1, 1);
	b = placed(NULL, NULL, 1, 0);
	ck_assert_ptr_ne(place_site(a), place_site(b));
	ck_assert_ptr_null(a->replica);
	ck_assert_ptr_null(b->replica);
	c = placed(NULL, "", 1, 1);
	placed(NULL, "", 1, 1);
	ck_assert_int_eq(take(NULL, "", 1, 1, &c), PLACEMENT_FULL);
	ck_assert_int_eq(take(NULL, "", 1, 0, &c), PLACEMENT_NEED_SHARD);
	release(a);
	placed(NULL, "", 1, 0);
	ck_assert_int_eq(made, 0);
}
END_TEST

START_TEST(a_new_replica_goes_to_the_least_loaded_site)
{
	struct place	*a;

	add_sites(3, 100);
	placed(NULL, "", 1, 0);
	placed(NULL, "", 1, 0);
	placed(NULL, "", 1, 0);
	placed(NULL, "", 1, 0);		/* 2 1 1 */
	a = placed("room", "a", 1, 0);
	ck_assert_ptr_eq(place_site(a), sites[1]);
	ck_assert_ptr_eq(place_site(placed("room", "b", 1, 0)), sites[2]);
	ck_assert_ptr_eq(place_site(placed("room", "c", 1, 0)), sites[0]);
	ck_assert_int_eq(take("room", "d", 1, 0, &a), PLACEMENT_NEED_SHARD);
	add_sites(1, 100);
	ck_assert_ptr_eq(place_site(placed("room", "d", 1, 0)), sites[0]);
}
END_TEST

START_TEST(capacity_bounds_replicas_with_room)
{
	struct place	*a, *h;

	add_sites(2, 2);
	a = placed("room", "a", 10, 0);
	placed("room", "b", 10, 0);
	ck_assert_ptr_ne(placed("room", "a", 10, 0)->replica, a->replica);
	placed("room", "a", 10, 0);
	ck_assert_int_eq(take("room", "a", 10, 0, &h), PLACEMENT_NEED_SHARD);
	ck_assert_int_eq(take("room", "a", 10, 1, &h), PLACEMENT_FULL);
}
END_TEST

START_TEST(a_leaving_site_takes_nobody)
{
	struct place	*a, *b;

	add_sites(2, 100);
	a = placed("room", "a", 10, 0);
	place_site(a)->usable = 0;
	b = placed("room", "a", 10, 0);
	ck_assert_ptr_ne(place_site(b), place_site(a));
	ck_assert_ptr_eq(place_site(placed("room", "a", 10, 1)), place_site(b));
	place_site(b)->usable = 0;
	ck_assert_int_eq(take("room", "a", 10, 0, &b), PLACEMENT_NEED_SHARD);
}
END_TEST

START_TEST(a_site_that_leaves_takes_nobody_though_it_answers)
{
	struct place	*a;

	add_sites(2, 100);
	a = placed("room", "a", 10, 0);
	place_site(a)->leaving = 1;
	place_site(a)->usable = 0;
	place_site(a)->usable = 1;	/* a PONG */
	for (int http = 0; http < 2; http++) {
		ck_assert_ptr_ne(place_site(placed("room", "a", 10, http)),
		    place_site(a));
		ck_assert_ptr_ne(place_site(placed(NULL, "b", 10, http)),
		    place_site(a));
	}
}
END_TEST

START_TEST(removing_a_site_releases_all_that_was_there)
{
	struct place	*a, *b;
	struct site	*gone;

	add_sites(2, 100);
	a = placed("room", "bob", 1, 0);
	b = placed("room", "bob", 1, 0);
	placed("other", "x", 5, 0);
	placed(NULL, "", 1, 1);
	ck_assert_int_eq(made, 3);
	gone = place_site(a);
	ck_assert_uint_eq(placement_site_remove(p, gone), 2);
	ck_assert_int_eq(verify_placement(p), 0);
	ck_assert_ptr_eq(placement_find(p, b->id), b);
	ck_assert_uint_eq(b->replica->group->nreplicas, 1);
	/* Still sticky to what is left. */
	ck_assert_ptr_eq(placed("room", "bob", 2, 0)->replica, b->replica);
}
END_TEST

/* Plain requests, who is elsewhere too, and those without a group are not lost; two
 * connections of one uid are one. */
START_TEST(a_dead_site_lists_whom_it_took_along)
{
	struct site	*gone;
	struct place	*both;

	add_sites(2, 100);
	both = placed("room", "zoe", 6, 0);
	gone = place_site(both);
	ck_assert_ptr_eq(place_site(placed("room", "web", 6, 1)), gone);
	placed("room", "ann", 6, 0);
	placed("room", "ann", 6, 0);
	placed("room", "bob", 6, 0);
	placed("room", "carl", 6, 0);		/* full */
	ck_assert_ptr_ne(place_site(placed("room", "bob", 6, 0)), gone);
	ck_assert_ptr_ne(place_site(placed("room", "zoe", 6, 0)), gone);
	release(both);
	gone->dead = 1;
	placement_site_remove(p, gone);
	ck_assert_msg(strcmp(lost, "ann carl ") == 0 ||
	    strcmp(lost, "carl ann ") == 0, "%s", lost);
	ck_assert_int_eq(verify_placement(p), 0);
}
END_TEST

/* Its process lives and will say what it has. */
START_TEST(a_site_that_is_only_forgotten_loses_nobody)
{
	struct site	*gone;

	add_sites(1, 100);
	gone = place_site(placed("room", "ann", 4, 0));
	placement_site_remove(p, gone);
	ck_assert_int_eq(ended, 1);
	ck_assert_str_eq(lost, "");
}
END_TEST

START_TEST(groups_of_two_applications_are_two)
{
	struct placement_ask	 ask = {
		.group = slice_str("room"), .uid = slice_str("a"),
		.limit = 10
	};
	struct place		*a, *b;

	ask.id = 1, ask.app = slice_str("chat");
	ck_assert_int_eq(placement_take(p, &ask, &a), PLACED);
	ask.id = 2, ask.app = slice_str("pact");
	ck_assert_int_eq(placement_take(p, &ask, &b), PLACED);
	ck_assert_ptr_ne(a->replica->group, b->replica->group);
	ck_assert_str_eq(b->replica->group->app, "pact");
	ck_assert_str_eq(b->replica->group->name, "room");
	ck_assert_uint_eq(b->replica->group->name_len, 4);
}
END_TEST

START_TEST(a_later_limit_counts)
{
	struct place	*a, *b;

	add_sites(2, 100);
	a = placed("room", "a", 1, 0);
	ck_assert_ptr_eq(placed("room", "b", 2, 0)->replica, a->replica);
	b = placed("room", "c", 2, 0);
	ck_assert_ptr_ne(b->replica, a->replica);
	ck_assert_uint_eq(a->replica->group->limit, 2);
}
END_TEST

START_TEST(names_over_their_bounds_and_known_ids_are_not_placed)
{
	static char		 big[GROUP_MAX + 1];
	struct placement_ask	 ask = { .id = 1, .limit = 1 };
	struct place		*a;

	memset(big, 'x', sizeof(big));
	ask.group = slice_of(big, GROUP_MAX + 1);
	ck_assert_int_eq(placement_take(p, &ask, &a), PLACEMENT_FULL);
	ask.group.len--;
	ck_assert_int_eq(placement_take(p, &ask, &a), PLACED);
	ck_assert_int_eq(placement_take(p, &ask, &a), PLACEMENT_FULL);
	ck_assert_uint_eq(placement_count(p), 1);
}
END_TEST

START_TEST(what_a_shard_says_it_has_is_taken_over)
{
	struct slice	 room = slice_str("room"), chat = slice_str("chat");
	struct place	*a;

	add_sites(2, 100);
	ck_assert_int_eq(placement_have_replica(p, sites[0], 77, room, chat, 2),
	    0);
	ck_assert_int_eq(placement_have_replica(p, sites[1], 77, room, chat, 2),
	    -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(placement_have_replica(p, sites[0], 78, room, chat, 2),
	    -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(placement_have_replica(p, sites[1], 78, room, chat, 2),
	    0);
	ck_assert_int_eq(placement_have_replica(p, sites[1], 79,
	    slice_str("empty"), chat, 2), 0);
	ck_assert_int_eq(placement_have_replica(p, sites[1], 0, room, chat, 2),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(placement_have_place(p, sites[0], 501, 77,
	    slice_str("bob"), 0, 0, 0), 0);
	ck_assert_int_eq(placement_have_place(p, sites[0], 501, 77,
	    slice_str("bob"), 0, 0, 0), -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(placement_have_place(p, sites[0], 502, 78,
	    slice_str("bob"), 0, 0, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(placement_have_place(p, sites[0], 502, 99,
	    slice_str("bob"), 0, 0, 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(placement_have_place(p, sites[1], 502, 78,
	    slice_str("eve"), 1, 1, 0), 0);
	ck_assert_int_eq(placement_have_place(p, sites[1], 503, 0,
	    slice_str(""), 1, 0, 0), 0);
	placement_have_end(p, sites[0]);
	placement_have_end(p, sites[1]);
	ck_assert_int_eq(made, 0);
	ck_assert_int_eq(ended, 1);
	ck_assert_uint_eq(last_ended, 79);
	ck_assert_uint_eq(placement_count(p), 3);
	ck_assert_int_eq(verify_placement(p), 0);
	a = placed("room", "bob", 2, 0);
	ck_assert_uint_eq(a->replica->id, 77);
	a = placement_find(p, 502);
	ck_assert_int_eq(a->over, 1);
	ck_assert_uint_eq(a->replica->over, 1);
	ck_assert_uint_eq(a->replica->count, 0);
	release(a);
	ck_assert_uint_eq(last_ended, 78);
}
END_TEST

/* ---- a model that counts by looking ---- */

#define M_GROUPS	4
#define M_UIDS		5
#define M_SITES		5
#define M_CONNS		150

static struct { uint64_t id; int g, u, s, http, over; } conns[M_CONNS];
static int	 nconns;
static struct {
	int	 there, usable;
	size_t	 capacity;
	long	 birth;
} m_site[M_SITES];
static long	 m_born[M_GROUPS][M_SITES];	/* 0: no replica */
static long	 m_seat[M_GROUPS][M_UIDS][M_SITES]; /* 0: none, else when chosen */
static int	 m_current[M_GROUPS];		/* -1: none */
static uint32_t	 m_limit[M_GROUPS] = { 1, 2, 3, 50 };
static long	 m_clock;

static size_t
m_count(int g, int u, int s, int http, int over)
{
	size_t	 n = 0;

	for (int i = 0; i < nconns; i++)
		n += (g == -2 || conns[i].g == g) && (u < 0 || conns[i].u == u) &&
		    conns[i].s == s && (http < 0 || conns[i].http == http) &&
		    (over < 0 || conns[i].over == over);
	return (n);
}

static int
m_bears(int s)
{
	return (m_site[s].there && m_site[s].usable &&
	    m_count(-2, -1, s, -1, -1) < m_site[s].capacity);
}

static int
m_room(int g, int s)
{
	return (m_born[g][s] != 0 && m_bears(s) &&
	    m_count(g, -1, s, -1, 0) < m_limit[g]);
}

static int
m_least(int g, int within)
{
	int	 best = -1;
	size_t	 n, least = 0;

	for (int s = 0; s < M_SITES; s++) {
		if (m_born[g][s] == 0 || !(within ? m_room(g, s) : m_bears(s)))
			continue;
		n = m_count(g, -1, s, -1, -1);
		if (best == -1 || n < least || (n == least &&
		    m_born[g][s] < m_born[g][best]))
			best = s, least = n;
	}
	return (best);
}

static int
m_fresh(int g)
{
	int	 best = -1;
	size_t	 n, r, least = 0, replicas = 0;

	for (int s = 0; s < M_SITES; s++) {
		if (!m_bears(s) || (g >= 0 && m_born[g][s] != 0))
			continue;
		n = m_count(-2, -1, s, -1, -1);
		r = 0;
		for (int i = 0; i < M_GROUPS; i++)
			r += m_born[i][s] != 0;
		if (best == -1 || n < least || (n == least && (r < replicas ||
		    (r == replicas && m_site[s].birth < m_site[best].birth))))
			best = s, least = n, replicas = r;
	}
	return (best);
}

/* The site, or -1; *over. */
static int
m_decide(int g, int u, int http, int *over)
{
	int	 best = -1;

	*over = 0;
	if (g < 0)
		return (m_fresh(g));
	for (int s = 0; s < M_SITES; s++)
		if (m_seat[g][u][s] != 0 && m_room(g, s) && (best == -1 ||
		    m_seat[g][u][s] > m_seat[g][u][best]))
			best = s;
	if (best == -1 && m_current[g] != -1 && m_room(g, m_current[g]))
		best = m_current[g];
	if (best == -1)
		best = m_least(g, 1);
	if (best == -1 && http && (best = m_least(g, 0)) != -1)
		*over = 1;
	return (best == -1 ? m_fresh(g) : best);
}

static void
m_forget(int i)
{
	int	 g = conns[i].g, u = conns[i].u, s = conns[i].s;
	int	 http = conns[i].http;

	conns[i] = conns[--nconns];
	if (g < 0)
		return;
	if (!http && m_count(g, u, s, 0, -1) == 0)
		m_seat[g][u][s] = 0;
	if (m_count(g, -1, s, -1, -1) == 0)
		m_born[g][s] = 0;
	if (!http || m_born[g][s] == 0)
		m_current[g] = m_least(g, 1);
}

static int
draw(int n)
{
	return ((int)(random() % n));
}

static void
churn_arrive(void)
{
	static char	 names[M_GROUPS][3] = { "g0", "g1", "g2", "g3" };
	static char	 uids[M_UIDS][3] = { "u0", "u1", "u2", "u3", "u4" };
	int		 g = draw(M_GROUPS + 1) - 1;
	int		 u = draw(M_UIDS), http = draw(4) == 0;
	int		 over, s = m_decide(g, u, http, &over);
	struct place	*a = NULL;
	enum placement_answer	 rc;

	rc = take(g < 0 ? NULL : names[g], uids[u], g < 0 ? 1 : m_limit[g],
	    http, &a);
	if (s == -1) {
		ck_assert_int_eq(rc, http ? PLACEMENT_FULL :
		    PLACEMENT_NEED_SHARD);
		return;
	}
	ck_assert_int_eq(rc, PLACED);
	ck_assert_ptr_eq(place_site(a), sites[s]);
	ck_assert_int_eq(a->over, over);
	conns[nconns].id = a->id;
	conns[nconns].g = g, conns[nconns].u = u, conns[nconns].s = s;
	conns[nconns].http = http, conns[nconns++].over = over;
	if (g < 0)
		return;
	if (m_born[g][s] == 0)
		m_born[g][s] = ++m_clock;
	if (!http) {
		m_seat[g][u][s] = ++m_clock;
		m_current[g] = m_room(g, s) ? s : -1;
	}
	if (!over)
		ck_assert_uint_le(a->replica->count, m_limit[g]);
}

static void
churn_leave(void)
{
	int	 i, g, u, http, last;

	if (nconns == 0)
		return;
	i = draw(nconns);
	g = conns[i].g, u = conns[i].u, http = conns[i].http;
	ck_assert_int_eq(placement_release(p, conns[i].id, &last), 0);
	m_forget(i);
	for (int k = 0; k < M_SITES && g >= 0 && !http; k++)
		ck_assert(!last || m_count(g, u, k, 0, -1) == 0);
	if (g >= 0 && !http && !last) {
		size_t	 left = 0;

		for (int k = 0; k < M_SITES; k++)
			left += m_count(g, u, k, 0, -1);
		ck_assert_uint_gt(left, 0);
	}
}

/* As when a shard dies: its places go in one step, and only then is anything
 * decided anew. */
static void
churn_site(void)
{
	int	 s = draw(M_SITES), n = 0;

	if (!m_site[s].there) {
		m_site[s].there = m_site[s].usable = 1;
		m_site[s].capacity = (size_t)(5 + draw(30));
		m_site[s].birth = ++m_clock;
		sites[s] = placement_site_add(p, (uint32_t)s, (uint64_t)++m_clock,
		    m_site[s].capacity, &sites[s]);
		return;
	}
	if (draw(2)) {
		sites[s]->usable = m_site[s].usable = !m_site[s].usable;
		return;
	}
	m_site[s].there = 0;
	for (int i = nconns - 1; i >= 0; i--)
		if (conns[i].s == s)
			conns[i] = conns[--nconns], n++;
	for (int g = 0; g < M_GROUPS; g++) {
		for (int u = 0; u < M_UIDS; u++)
			m_seat[g][u][s] = 0;
		if (m_born[g][s] != 0) {
			m_born[g][s] = 0;
			m_current[g] = m_least(g, 1);
		}
	}
	ck_assert_uint_eq(placement_site_remove(p, sites[s]), n);
}

/* 4 */
START_TEST(random_churn_agrees_with_a_naive_model)
{
	placement_site_remove(p, sites[0]);
	srandom(4711);
	for (int g = 0; g < M_GROUPS; g++)
		m_current[g] = -1;
	for (int i = 0; i < 100000; i++) {
		int	 dice = draw(1000);

		if (dice < 5)
			churn_site();
		else if (nconns < M_CONNS && (dice < 500 +
		    (i / 5000 % 2 ? 80 : -80)))
			churn_arrive();
		else
			churn_leave();
		ck_assert_uint_eq(placement_count(p), nconns);
		if (i % 16 == 0)
			ck_assert_int_eq(verify_placement(p), 0);
	}
	while (nconns > 0)
		churn_leave();
	ck_assert_uint_eq(groups(), 0);
	ck_assert_int_eq(made, ended);
}
END_TEST

static void
setup_one(void)
{
	setup();
	add_sites(1, 100);
}

START_TEST(a_place_becomes_another_uids)
{
	struct place	*a, *b, *plain;
	int		 last;

	add_sites(2, 100);
	a = placed("room", "ann", 2, 0);
	b = placed("room", "ann", 2, 0);
	ck_assert_ptr_eq(a->replica, b->replica);
	ck_assert_int_eq(placement_become(a, slice_str("bob")), 0);
	ck_assert_int_eq(placement_become(a, slice_str("bob")), 0);
	ck_assert_int_eq(verify_placement(p), 0);
	/* Where bob is, there is room again. */
	ck_assert_int_eq(placement_release(p, b->id, &last), 0);
	ck_assert_int_eq(last, 1);
	placed("room", "eve", 2, 0);
	b = placed("room", "zoe", 2, 0);
	ck_assert_ptr_ne(a->replica, b->replica);
	ck_assert_int_eq(placement_become(b, slice_str("bob")), 0);
	ck_assert_int_eq(placement_release(p, a->id, &last), 0);
	ck_assert_int_eq(last, 0);
	a = placed("room", "bob", 2, 0);
	ck_assert_ptr_eq(a->replica, b->replica);
	/* Of a plain request and without a group nobody's uid is kept. */
	plain = placed("room", "max", 2, 1);
	ck_assert_int_eq(placement_become(plain, slice_str("bob")), 0);
	ck_assert_int_eq(placement_release(p, plain->id, &last), 0);
	ck_assert_int_eq(last, 0);
	plain = placed(NULL, "max", 2, 0);
	ck_assert_int_eq(placement_become(plain, slice_str("bob")), 0);
	ck_assert_int_eq(placement_release(p, a->id, &last), 0);
	ck_assert_int_eq(last, 0);
	ck_assert_int_eq(placement_release(p, b->id, &last), 0);
	ck_assert_int_eq(last, 1);
}
END_TEST

int
main(void)
{
	const TTest	*const bare[] = {
		a_place_becomes_another_uids,
		arrivals_fill_one_replica_then_the_next,
		a_burst_respects_the_limit,
		the_least_used_with_room_is_filled_after_a_close,
		the_oldest_wins_a_tie,
		a_freed_place_is_taken_before_a_new_replica,
		a_known_uid_returns_while_there_is_room,
		the_most_recent_choice_with_room_is_stickiest,
		stickiness_ends_with_the_last_open_place,
		http_goes_where_its_uid_is_and_moves_nothing,
		http_goes_over_the_limit_counted_apart,
		http_that_stays_counts_like_an_upgrade,
		no_group_goes_to_the_least_loaded,
		a_new_replica_goes_to_the_least_loaded_site,
		capacity_bounds_replicas_with_room,
		a_leaving_site_takes_nobody,
		a_site_that_leaves_takes_nobody_though_it_answers,
		removing_a_site_releases_all_that_was_there,
		a_dead_site_lists_whom_it_took_along,
		a_site_that_is_only_forgotten_loses_nobody,
		what_a_shard_says_it_has_is_taken_over,
	};
	const TTest	*const one[] = {
		an_empty_replica_ends_and_its_id_is_not_used_again,
		a_second_release_changes_nothing,
		http_makes_a_first_replica_but_no_shard,
		groups_of_two_applications_are_two,
		a_later_limit_counts,
		names_over_their_bounds_and_known_ids_are_not_placed,
		random_churn_agrees_with_a_naive_model,
	};
	Suite	*s = suite_create("placement");
	TCase	*t = tcase_create("sites of its own");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < nitems(bare); i++)
		tcase_add_test(t, bare[i]);
	suite_add_tcase(s, t);
	t = tcase_create("one site");
	tcase_set_timeout(t, 50);
	tcase_add_checked_fixture(t, setup_one, teardown);
	for (size_t i = 0; i < nitems(one); i++)
		tcase_add_test(t, one[i]);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
