/* Files by HTTP: GET of a name, PUT of a body. */
#ifndef SHARDD_APE_DATA_H
#define SHARDD_APE_DATA_H

#include <stddef.h>

struct kennel_request;

/* The head of a PUT has come, rest being FIRST/HASH. */
void	 data_head(struct kennel_request *q, const char *rest);
/* A piece of its body; its client has gone. */
void	 data_body(struct kennel_request *q, const char *data, size_t len);
void	 data_abort(struct kennel_request *q);
/* The request is whole. */
void	 data_receive(struct kennel_request *q, const char *rest);

#endif
