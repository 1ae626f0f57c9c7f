#pragma once
#include <cmath>
#include "problem.hpp"
namespace tensornorm::inline TENSORNORM_ABI::kernel {
struct rms_formula {};
struct simple_formula {};
struct layer_formula {};
template <class P> index norm_units(const P& p) { return p.rows.rows(); }
inline float w32(float x){return x;} inline double w32(double x){return x;}
inline float w32(bfloat16 x){unsigned u=unsigned(x.bits)<<16;float f;__builtin_memcpy(&f,&u,4);return f;}
inline float w32(float16 x){_Float16 h;__builtin_memcpy(&h,&x,2);return h;}
inline void st(float*p,double v){*p=(float)v;} inline void st(double*p,double v){*p=v;}
inline void st(float16*p,double v){_Float16 h=(_Float16)(float)v;__builtin_memcpy(p,&h,2);}
inline void st(bfloat16*p,double v){float f=(float)v;unsigned u;__builtin_memcpy(&u,&f,4);u+=0x7fff+((u>>16)&1);p->bits=(unsigned short)(u>>16);}
template <class F, class P> void normalize(const P& p, index first, index last) {
  index n = p.rows.size();
  for (index r = first; r < last; ++r) {
    index o = r / p.rows.inner, j = r % p.rows.inner;
    auto at=[&](const rows_strides&s,index i){return o*s.outer+j*s.inner+i/p.rows.run*s.block+i%p.rows.run*s.element;};
    double m=0,q=0; 
    if(!std::is_same_v<F,rms_formula>){for(index i=0;i<n;++i)m+=w32(p.x[at(p.x_strides,i)]);m/=(double)n;}
    for(index i=0;i<n;++i){double d=w32(p.x[at(p.x_strides,i)])-m;q+=d*d;}
    double rs=1/std::sqrt(q/(double)(n-p.correction)+p.eps);
    if(p.mean){p.mean[r]=(typename P::compute)m;p.mean_residual[r]=(typename P::compute)(m-p.mean[r]);}
    if(p.rstd)p.rstd[r]=(typename P::compute)rs;
    for(index i=0;i<n;++i){
      double v=w32(p.x[at(p.x_strides,i)]); if(std::is_same_v<F,layer_formula>)v-=m; v*=rs;
      index c=p.parameters.per_block?(o%p.parameters.groups)*p.rows.blocks+i/p.rows.run:i;
      if(p.round_before_weight){typename P::data_type t;st(&t,v);v=w32(t);}
      if(p.weight)v*=w32(p.weight[c])+(p.weight_plus_one?1:0);
      if(p.bias)v+=w32(p.bias[c]);
      st(p.y+at(p.y_strides,i),v);
    }
  }
}
}
