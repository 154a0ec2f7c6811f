/* Binary that belongs to a call: uploaded for it, or made by its controller. */
#ifndef SHARDD_APE_PART_H
#define SHARDD_APE_PART_H

#include "proto/jss.h"

struct part {
	struct part	*next;
	int		 fd;		/* -1: it has not come yet */
	uint64_t	 size;
	char		*map;		/* NULL: nobody has asked for bytes */
	const char	*hash;		/* its name, for one that is uploaded */
};

/* A part in that memory, in front of *list.  NULL without memory. */
struct part *part_new(struct jss_pool *pool, struct part **list);
/* fd is the part's from now on. */
void	 part_set(struct part *p, int fd);
/* A descriptor with these bytes, or -1 with errno. */
int	 part_file(const char *data, size_t len);
/* Bytes of it, mapped; NULL: it cannot be. */
const char *part_bytes(struct part *p, size_t *len);
/* Close what all of a list have. */
void	 part_clear(struct part *list);

#endif
