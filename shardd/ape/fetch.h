/* Files that are asked for, or brought, by HTTP: found in whatever shard has them. */
#ifndef SHARDD_APE_FETCH_H
#define SHARDD_APE_FETCH_H

#include "shardd/ape/courier.h"
#include "shardd/ape/download.h"

struct kennel_request;
struct kennel_socket;

/* fd: of a shared file, the callee's; -1: no shard has one of that id. */
typedef void	fetch_cb(int fd, void *arg);

/* Who shares a file of that id?  cb comes once, perhaps from within. */
void	 fetch_share(const char *id, fetch_cb *cb, void *arg);
/* A GET of that name: a download's, or a shared file's id. */
void	 fetch_get(struct kennel_request *q, const char *name,
	    const struct asker *who);
/* Another shard asks, or has answered. */
void	 fetch_asked(const struct courier_note *n, int fd);
void	 fetch_answered(const struct courier_note *n, int fd);

/* A shared file that is not whole is sent as it comes, by a stream: it begins, has
 * more or less to read than it can take, ends. */
void	 fetch_open(struct kennel_socket *s);
void	 fetch_pressure(struct kennel_socket *s, int high);
void	 fetch_close(struct kennel_socket *s);

#endif
