/* Uids with places in a group. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/bag.h"
#include "common/set.h"
#include "gatewayd/member.h"

/* For set.h. */
static uint32_t
member_hash(const void *member)
{
	return (((const struct member *)member)->hash);
}

void
members_init(struct set *members)
{
	members->hash = member_hash;
}

/* hash: that of uid. */
static struct member *
member_look(const struct set *members, struct slice uid, uint32_t hash)
{
	struct member	*m;
	size_t		 at;

	for (m = set_find(members, hash, &at); m != NULL;
	    m = set_again(members, &at))
		if (m->hash == hash &&
		    slice_eq(slice_of(m->uid, m->uid_len), uid))
			return (m);
	return (NULL);
}

struct member *
member_find(const struct set *members, struct slice uid)
{
	return (member_look(members, uid, bag_hash(uid.data, uid.len)));
}

struct seat *
member_seat(struct member *m, const struct replica *r)
{
	struct seat	*seat;

	for (seat = &m->seats; seat != NULL; seat = seat->next)
		if (seat->replica == r)
			return (seat);
	return (NULL);
}

struct member *
member_sit(struct set *members, struct slice uid, struct replica *r)
{
	uint32_t	 hash = bag_hash(uid.data, uid.len);
	struct member	*m = member_look(members, uid, hash);
	struct seat	*seat, *before, swap;

	if (m == NULL) {
		m = calloc(1, offsetof(struct member, uid) + uid.len);
		if (m == NULL)
			return (NULL);
		if (uid.len > 0)
			memcpy(m->uid, uid.data, uid.len);
		m->uid_len = (uint32_t)uid.len;
		m->hash = hash;
		if (set_insert(members, m) == -1) {
			free(m);
			return (NULL);
		}
		m->seats.replica = r;
		m->seats.count = 1;
		return (m);
	}
	if ((seat = member_seat(m, r)) == NULL) {
		if ((seat = calloc(1, sizeof(*seat))) == NULL)
			return (NULL);
		seat->replica = r;
		seat->next = m->seats.next;
		m->seats.next = seat;
	}
	seat->count++;
	if (seat != &m->seats) {
		/* To the front, the others keeping their order. */
		for (before = &m->seats; before->next != seat; )
			before = before->next;
		before->next = seat->next;
		swap = m->seats;
		m->seats = *seat;
		m->seats.next = seat;
		*seat = swap;
	}
	return (m);
}

void
member_rise(struct set *members, struct member *m, struct replica *r)
{
	struct seat	*seat = member_seat(m, r), *before, *dead;

	if (--seat->count > 0)
		return;
	if (seat != &m->seats) {
		for (before = &m->seats; before->next != seat; )
			before = before->next;
		before->next = seat->next;
		free(seat);
	} else if ((dead = seat->next) != NULL) {
		*seat = *dead;
		free(dead);
	} else {
		set_remove(members, m);
		free(m);
	}
}
