// Attention as an Eigen expression: evaluated straight into what it is assigned to, on its device.
#pragma once

#include "attention_plan.hpp"
#include "device.hpp"

namespace tensornorm::inline TENSORNORM_ABI::detail {

/// A checked call. q and o come when it is evaluated.
template <kernel::attention_path Path, class Scalar, class Chain>
struct attention_call {
  using scalar = Scalar;

  attention_plan<Scalar> plan;
  Chain modifiers;

  template <class Device>
  void run(const Scalar* q, const sizes<4>& q_stride, Scalar* o, const sizes<4>& o_stride,
           const Device& device) const {
    const auto p = plan.make_problem(modifiers, q, heads_strides_of(q_stride), o, heads_strides_of(o_stride));
    const kernel::attention_work work = kernel::work_of<Path>(p);
    if (work.units == 0) return;
    attention_workspace for_this_call;
    attention_workspace& workspace = plan.workspace ? *plan.workspace : for_this_call;
    using accumulator = accumulator_t<Scalar>;
    const auto bytes = [](index count) { return static_cast<std::size_t>(count) * sizeof(accumulator); };
    // Alone, a thread has its own memory behind that which all share.
    constexpr bool alone = !parallel_device<Device>;
    const attention_workspace::lease shared_memory(workspace, bytes(work.shared + (alone ? work.memory : 0)));
    accumulator* const shared = static_cast<accumulator*>(shared_memory.data());

    const auto& s = plan.shape;
    const double flops = 2.0 * double(s.keys) * double(s.dim + s.value_dim) * double(s.queries) *
                         double(s.batch) * double(s.heads) / double(work.units);
    const auto as_it_comes = [](index block) { return block; };
    const auto attend = [&](index first, index last) {
      if constexpr (alone) {
        kernel::attend<Path>(p, first, last, shared + work.shared, shared);
      } else {
        const attention_workspace::lease own(workspace, bytes(work.memory));
        kernel::attend<Path>(p, first, last, static_cast<accumulator*>(own.data()), shared);
      }
    };
    run_units(work.units, Eigen::TensorOpCost(0, 0, flops, true, 16), device, attend, as_it_comes);
    if constexpr (Path == kernel::attention_path::fused)
      if (work.results > 0)
        run_units(
            work.results, Eigen::TensorOpCost(0, 0, double(s.value_dim * s.group())), device,
            [&](index first, index last) { kernel::write_decoded(p, first, last, shared); }, as_it_comes);
  }
};

/// A checked call on a path that is chosen at run time.
template <class Scalar, class Chain, class Device>
void run_attention(kernel::attention_path path, const attention_plan<Scalar>& plan, const Chain& modifiers,
                   const Scalar* q, const sizes<4>& q_stride, Scalar* o, const sizes<4>& o_stride,
                   const Device& device) {
  using kernel::attention_path;
  if (path == attention_path::fused)
    attention_call<attention_path::fused, Scalar, Chain>{plan, modifiers}.run(q, q_stride, o, o_stride,
                                                                              device);
  else
    attention_call<attention_path::unfused, Scalar, Chain>{plan, modifiers}.run(q, q_stride, o, o_stride,
                                                                                device);
}

/// The functor under q.customOp(...): Eigen hands it q, the memory of o, and the device.
template <class Call, int Rank>
struct tensor_attention {
  Call call;

  template <class Q>
  auto dimensions(const Q& q) const {
    auto size = size_of(q);
    size[Rank - 1] = static_cast<typename Q::Index>(call.plan.v.size[3]);
    return size;
  }

  template <class Q, class O, class Device>
  void eval(const Q& q, O& o, const Device& device) const {
    if constexpr (plain_tensor<Q>) {
      auto from = read_operand(q);
      if (from.size != call.plan.q_size) fail(call.plan.function, "q was resized after the call");
      auto to = from;
      shape<Rank, row_major<Q>> o_shape;
      for (std::size_t axis = 0; axis < Rank; ++axis) o_shape.size[axis] = from.size[4 - Rank + axis];
      o_shape.size[Rank - 1] = call.plan.v.size[3];
      set_dense_strides(o_shape);
      for (std::size_t axis = 0; axis < Rank; ++axis) to.stride[4 - Rank + axis] = o_shape.stride[axis];
      call.plan.check_memory(from.memory(), extent_of(o.data(), o_shape.size, o_shape.stride),
                             q.data() == o.data() && from.stride == to.stride);
      if (call.plan.tokens_before_heads) {
        tokens_behind_heads(from);
        tokens_behind_heads(to);
      }
      call.run(q.data(), from.stride, o.data(), to.stride, device);
    } else {
      Eigen::Tensor<typename Call::scalar, Rank, row_major<Q> ? Eigen::RowMajor : Eigen::ColMajor> value(
          size_of(q));
      value.device(device) = q;
      eval(value, o, device);
    }
  }

 private:
  template <class Q>
  auto size_of(const Q&) const {
    using Index = typename Q::Index;
    Eigen::DSizes<Index, Rank> result;
    for (std::size_t axis = 0; axis < Rank; ++axis)
      result[axis] = static_cast<Index>(call.plan.q_size[4 - Rank + axis]);
    return result;
  }
};

/// What attention over matrices returns: o = matrix_attention(...) calls evalTo with o.
template <class Call, class Q>
class matrix_attention : public Eigen::ReturnByValue<matrix_attention<Call, Q>> {
 public:
  matrix_attention(const Call& call, const Q& q) : call_(call), q_(q) {}

  Eigen::Index rows() const { return q_.rows(); }
  Eigen::Index cols() const { return call_.plan.v.size[3]; }

  template <class O>
  void evalTo(O& o) const {
    write(read_operand(q_), o);
  }

 private:
  using value = typename Eigen::internal::traits<matrix_attention>::ReturnType;

  template <class O>
  void write(const operand<scalar_of<Q>>& q, O& o) const {
    if constexpr (!plain_matrix<O> || !std::is_same_v<scalar_of<O>, scalar_of<Q>>) {
      value result(rows(), cols());
      write(q, result);
      o = result;
    } else {
      const auto to = shape_in_full(o);
      if (q.size != call_.plan.q_size) fail(call_.plan.function, "q was resized after the call");
      if (to.size != sizes<2>{rows(), cols()})
        fail(call_.plan.function, "o has shape ", o.rows(), "x", o.cols(), ", expected ", rows(), "x",
             cols());
      const sizes<4> o_stride{0, 0, to.stride[0], to.stride[1]};
      call_.plan.check_memory(q.memory(), extent_of(o.data(), to.size, to.stride),
                              q.data == o.data() && q.stride == o_stride);
      call_.run(q.data, q.stride, o.data(), o_stride, Eigen::DefaultDevice());
    }
  }

  Call call_;
  typename Eigen::internal::ref_selector<Q>::type q_;
};

}  // namespace tensornorm::inline TENSORNORM_ABI::detail

template <class Call, class Q>
struct Eigen::internal::traits<tensornorm::detail::matrix_attention<Call, Q>> {
  using ReturnType = Eigen::Matrix<typename Call::scalar, Eigen::Dynamic, Eigen::Dynamic,
                                   tensornorm::detail::row_major<Q> ? Eigen::RowMajor : Eigen::ColMajor>;
};
