/*
 * A file without a name that holds a request's body: of memory, or of a directory.
 * All of a process have one bound.
 */
#ifndef SHARDD_SPOOL_H
#define SHARDD_SPOOL_H

#include <stdint.h>

#include "common/bytes.h"

struct spool;

/* dir NULL or empty: of memory.  NULL with errno. */
struct spool *spool_new(const char *dir);
void	 spool_free(struct spool *s);	/* s may be NULL */
/* Append; all of the process are to hold max bytes at most.  0, or -1 with errno:
 * EDQUOT, that is reached; ENOSPC and the like. */
int	 spool_add(struct spool *s, struct slice data, uint64_t max);
uint64_t spool_len(const struct spool *s);
int	 spool_fd(const struct spool *s);
/* All of it, as memory that is the file's, until spool_free().  data NULL with errno. */
struct slice spool_map(struct spool *s);
/* Bytes of all. */
uint64_t spool_sum(void);

#endif
