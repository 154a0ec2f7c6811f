/* The paths below a mount of api-ape. */
#ifndef SHARDD_APE_HTTP_H
#define SHARDD_APE_HTTP_H

struct kennel_request;

/* Answers, connects or streams. */
void	 http_receive(struct kennel_request *q);

#endif
