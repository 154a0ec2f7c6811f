/* A part of a file that a client is to have, sent by the kernel (sendfile(2)). */
#ifndef SHARDD_OUTFILE_H
#define SHARDD_OUTFILE_H

#include <stdint.h>

struct outfile;

/* len bytes from at on; fd is duplicated.  NULL with errno. */
struct outfile *outfile_new(int fd, uint64_t at, uint64_t len);
void	 outfile_free(struct outfile *o);	/* o may be NULL */
/*
 * Give the kernel a turn's part.  Returns 0 when all is sent, 1 when there is more, -1
 * with errno: the connection is broken, or (ENODATA) the file is shorter by now.
 */
int	 outfile_send(struct outfile *o, int sock);

#endif
