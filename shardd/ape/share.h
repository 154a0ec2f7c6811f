/*
 * Files that clients share: the bytes come by one's PUT and go to all who ask, while they
 * come.  The shard where an id was announced keeps the file; another one that has to do
 * with it gets the descriptor, and sees in the file's first page how far it is.
 */
#ifndef SHARDD_APE_SHARE_H
#define SHARDD_APE_SHARE_H

#include <stdint.h>

#include "shardd/kennel-ape.h"

#define SHARE_PAGE	4096		/* bytes before those of the file */
#define SHARE_ID_MAX	128

enum share_state { SHARE_EMPTY, SHARE_COMES, SHARE_WHOLE, SHARE_BROKEN };

/* The first page. */
struct share_head {
	uint64_t	 total;		/* bytes that are there */
	uint32_t	 state;		/* enum share_state */
	uint64_t	 since;		/* when it was announced, ms */
	uint64_t	 until;		/* it is kept */
	char		 session[APE_ID + 1];
};

/* An id is announced by this session.  One that is live is its first session's.  0, or -1:
 * it was not. */
int	 share_announce(const char *id, const char *session);
/* Its file's descriptor, borrowed; -1: it was not announced here. */
int	 share_find(const char *id);

/* All that are announced here and live. */
void	 share_each(void (*cb)(const char *id));
/* An empty file that nobody finds, with its first page: its descriptor, or -1. */
int	 share_blank(struct share_head **head);
/* Has nobody begun to send it? */
int	 share_is_empty(int fd);
/* The first page of a descriptor, to be unmapped; NULL with errno. */
struct share_head *share_map(int fd);
void	 share_unmap(struct share_head *h);
/*
 * Of descriptors that shards have given, which of n is the file: the latest of the
 * session that has announced the id first.  -1: none.
 */
int	 share_choose(const int *fds, int n);

#endif
